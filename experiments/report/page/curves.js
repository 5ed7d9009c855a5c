// Charts: curves with bands over steps, seconds or bytes, and the time's split.

// Which combinations are drawn, and against what: the same in all charts. At first the best; one
// that diverged would leave nothing of the others to see.
const view = {
  shown: new Set(data.combinations.map((c, i) => i).filter((i) =>
    i < 8 && (!data.combinations[i].unfinished || data.combinations[0].unfinished))),
  axis: 'step',
  charts: [],
  refresh() {
    view.charts.forEach((chart) => chart.refresh());
  },
};

function secondsLabel() {
  if (!data.any_simulated) return 'seconds';
  return data.any_measured ? 'seconds (simulated where the run is)' : 'simulated seconds';
}
function axisLabel() {
  return {step: 'steps', seconds: secondsLabel(), megabytes: 'MB sent per worker'}[view.axis];
}

// The curve of a metric: {x, mean, half}, or null.
function curveOf(combination, metric) {
  for (const group of combination.curves) {
    const curve = group.curves[metric];
    if (curve) return {x: group[view.axis], mean: curve.mean, half: curve.half};
  }
  return null;
}

function metricsOf(wanted) {
  const names = new Set();
  for (const combination of data.combinations) {
    for (const group of combination.curves) {
      if (group.step.length < 2) continue;
      Object.keys(group.curves).filter(wanted).forEach((name) => names.add(name));
    }
  }
  const order = ['train/loss', 'validation/loss', 'validation/accuracy', 'validation/perplexity',
    'validation/bleu'];
  const rank = (name) => order.indexOf(name) < 0 ? order.length : order.indexOf(name);
  return [...names].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function withAlpha(colour, alpha) {
  return colour + Math.round(alpha * 255).toString(16).padStart(2, '0');
}

// Datasets of the shown combinations: of each the mean, then the band's two edges. On a logarithmic
// axis there is no place for what is not positive.
function datasetsOf(metric, logarithmic) {
  const sets = [];
  const floor = logarithmic ? lowest(metric) : -Infinity;
  const opacity = view.shown.size > 4 ? 0.1 : 0.17;
  data.combinations.forEach((combination, i) => {
    const curve = view.shown.has(i) ? curveOf(combination, metric) : null;
    if (!curve) return;
    const colour = styleValue('--c' + i % colours);
    const dashed = isDashed(i) || combination.unfinished;
    const points = (edge) => curve.x.map((x, k) => {
      const mean = curve.mean[k];
      if (mean === null || (logarithmic && mean <= 0)) return {x, y: null};
      return {x, y: edge ? Math.max(floor, mean + edge * curve.half[k]) : mean};
    });
    sets.push({
      label: combination.label, data: points(0), half: curve.half, borderColor: colour,
      backgroundColor: colour, borderWidth: 2, borderDash: dashed ? [6, 4] : [],
      pointRadius: curve.mean.filter((mean) => mean !== null).length === 1 ? 3 : 0, pointHoverRadius: 4, pointHitRadius: 8,
    });
    if (!curve.half) return;
    const band = {band: true, borderWidth: 0, pointRadius: 0, pointHoverRadius: 0,
      pointHitRadius: 0, backgroundColor: withAlpha(colour, opacity)};
    sets.push({...band, data: points(1), fill: '+1'}, {...band, data: points(-1)});
  });
  return sets;
}

function goodForLogarithm(metric) {
  let low = Infinity, high = 0;
  for (const i of view.shown) {
    const curve = curveOf(data.combinations[i], metric);
    for (const value of curve ? curve.mean : []) {
      if (value === null) continue;
      if (value <= 0) return false;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return high > 20 * low;
}

// How Chart.js asks for the text of a mark. On a logarithmic axis steps differ.
function tickText(value, index, ticks) {
  return this.type === 'logarithmic' || ticks.length < 2 ? number(value, 3) :
      markText(value, Math.abs(ticks[1].value - ticks[0].value));
}

function scaleOptions(extra) {
  return {
    grid: {color: styleValue('--grid'), borderColor: styleValue('--line'), tickColor: 'transparent'},
    ticks: {color: styleValue('--soft'), maxTicksLimit: 7, maxRotation: 0, includeBounds: false, callback: tickText},
    ...extra,
  };
}

function tooltipOptions(callbacks) {
  return {
    backgroundColor: styleValue('--card'), borderColor: styleValue('--line'), borderWidth: 1,
    titleColor: styleValue('--ink'), bodyColor: styleValue('--ink'), padding: 10,
    titleFont: {weight: '600'}, multiKeyBackground: 'transparent', boxPadding: 5, boxWidth: 10,
    boxHeight: 10, callbacks,
  };
}

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;

// Left and right move from point to point, as hovering does; what is under way is said aloud.
function enableKeys(canvas, chart, spoken) {
  let index = -1;
  canvas.addEventListener('keydown', (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1}[event.key];
    const shown = chart.data.datasets.map((set, i) => i).filter((i) => !chart.data.datasets[i].band);
    const length = Math.max(0, ...shown.map((i) => chart.data.datasets[i].data.length));
    if (!step || length === 0) return;
    event.preventDefault();
    index = Math.min(length - 1, Math.max(0, index + step));
    const active = shown.filter((i) => index < chart.data.datasets[i].data.length)
        .map((datasetIndex) => ({datasetIndex, index}));
    chart.setActiveElements(active);
    const place = chart.getDatasetMeta(active[0].datasetIndex).data[index];
    chart.tooltip.setActiveElements(active, {x: place.x, y: place.y});
    chart.update();
    spoken.textContent = [...chart.tooltip.title,
      ...chart.tooltip.body.map((line) => line.lines.join(' '))].join('; ');
  });
  canvas.addEventListener('blur', () => {
    index = -1;
    chart.setActiveElements([]);
    chart.tooltip.setActiveElements([], {x: 0, y: 0});
    chart.update();
  });
}

// A chart's box: heading, canvas and what screen readers hear.
function chartBox(title, label, tool) {
  const canvas = h('canvas', {role: 'img', tabindex: 0, 'aria-label': label});
  const spoken = h('div', {class: 'hidden', 'aria-live': 'polite'});
  const box = h('figure', {class: 'chart'}, h('h3', {}, h('span', {}, title), tool),
      h('div', {class: 'plot'}, canvas), spoken);
  return {box, canvas, spoken};
}

function curveChart(metric, parent) {
  let logarithmic = goodForLogarithm(metric);
  const toggle = h('button', {type: 'button', onclick: () => {
    logarithmic = !logarithmic;
    refresh();
  }});
  const {box, canvas, spoken} = chartBox(metric,
      metric + ' over the run, one line per combination; arrow keys read values', toggle);
  parent.append(box);
  const chart = new Chart(canvas, {
    type: 'line', data: {datasets: []},
    options: {parsing: false, normalized: true, spanGaps: false,
      interaction: {mode: 'nearest', axis: 'x', intersect: false}},
  });
  function refresh() {
    toggle.textContent = logarithmic ? 'log scale' : 'linear scale';
    toggle.setAttribute('aria-label', metric + ': ' + toggle.textContent + ', change it');
    chart.data.datasets = datasetsOf(metric, logarithmic);
    chart.options.scales = {
      x: scaleOptions({type: 'linear', title: {display: true, text: axisLabel(),
        color: styleValue('--soft')}, min: 0, max: farthest(metric)}),
      y: scaleOptions({type: logarithmic ? 'logarithmic' : 'linear'}),
    };
    Object.assign(chart.options.scales.y, logarithmic ? {min: lowest(metric)} : aroundFlat(metric));
    chart.options.plugins = {
      legend: {display: false},
      tooltip: {
        ...tooltipOptions({
          title: (items) => items.length ? axisLabel() + ' ' + number(items[0].parsed.x, 6) : '',
          label: (item) => {
            const half = item.dataset.half ? item.dataset.half[item.dataIndex] : null;
            return ' ' + item.dataset.label + ': ' + number(item.parsed.y, 5) +
                (half === null ? '' : ' ± ' + number(half, 2));
          },
        }),
        filter: (item) => !item.dataset.band,
      },
    };
    chart.update();
  }
  enableKeys(canvas, chart, spoken);
  refresh();
  view.charts.push({refresh});
}

// A band may reach below zero, where a logarithm has nothing: the axis begins below the means.
function lowest(metric) {
  let low = Infinity;
  for (const i of view.shown) {
    const curve = curveOf(data.combinations[i], metric);
    for (const value of curve ? curve.mean : []) {
      if (value !== null && value > 0) low = Math.min(low, value);
    }
  }
  return Number.isFinite(low) ? low * 0.8 : undefined;
}

// Where the longest shown curve ends.
function farthest(metric) {
  let end;
  for (const i of view.shown) {
    const curve = curveOf(data.combinations[i], metric);
    if (curve) end = Math.max(end || 0, curve.x[curve.x.length - 1]);
  }
  return end;
}

// A metric that never changes is drawn in the middle of an axis of its own size.
function aroundFlat(metric) {
  const values = [...view.shown].flatMap((i) => {
    const curve = curveOf(data.combinations[i], metric);
    return curve ? curve.mean.filter((mean) => mean !== null) : [];
  });
  if (values.length === 0 || values.some((value) => value !== values[0])) return {};
  const size = Math.abs(values[0]) || 1;
  return {suggestedMin: values[0] - size, suggestedMax: values[0] + size};
}

// Buttons that show and hide combinations; also colours them.
function legend() {
  return h('div', {class: 'legend', role: 'group', 'aria-label': 'Shown combinations'},
      ...data.combinations.map((combination, i) => {
        if (combination.curves.length === 0) return null;
        const dashed = isDashed(i) || combination.unfinished;
        const button = h('button', {type: 'button', 'aria-pressed': String(view.shown.has(i)),
          onclick: () => {
            if (!view.shown.delete(i)) view.shown.add(i);
            button.setAttribute('aria-pressed', String(view.shown.has(i)));
            view.refresh();
          }},
        h('span', {class: 'line' + (dashed ? ' dashed' : ''),
          style: 'border-color: ' + colourVariable(i)}),
        combination.label + (combination.unfinished ? ' (unfinished)' : ''));
        return button;
      }));
}

function curveSections() {
  const isTime = (name) => name.startsWith('time/');
  const isConsensus = (name) => name.startsWith('consensus/');
  const main = metricsOf((name) => !isTime(name) && !isConsensus(name));
  const times = metricsOf(isTime);
  const consensus = metricsOf(isConsensus);

  const curves = section('curves');
  if (main.length + times.length === 0) {
    curves.hidden = true;
  } else {
    const several = data.combinations.some((combination) => combination.score.count > 1);
    curves.append(
        h('div', {class: 'tools'}, h('span', {}, 'against'),
            choice('Horizontal axis', [['step', 'steps'], ['seconds', 'seconds'],
              ['megabytes', 'bytes']], view.axis, (axis) => {
              view.axis = axis;
              view.refresh();
            })),
        data.combinations.length > 1 ? legend() : '');
    const charts = h('div', {class: 'charts'});
    curves.append(charts);
    main.forEach((metric) => curveChart(metric, charts));
    curves.append(h('p', {class: 'note'}, several ?
        'Lines are means over seeds after equally many steps, bands 95 % intervals. Seconds and ' +
        'bytes are means over the seeds, too. ' : '',
    'Metrics of the whole world as in metrics.jsonl, thinned to fit on this page.'));
    if (times.length > 0) {
      const inner = h('div', {class: 'charts'});
      const details = h('details', {}, h('summary', {}, 'Times and rates over the run'), inner);
      // Charts in closed details have no size yet, so they are made when opened.
      details.addEventListener('toggle', () => {
        if (details.open && inner.childElementCount === 0) {
          times.forEach((metric) => curveChart(metric, inner));
        }
      });
      curves.append(details);
      details.open = main.length === 0;
    }
  }

  if (consensus.length === 0) {
    section('consensus').hidden = true;
  } else {
    const charts = h('div', {class: 'charts wide', style: 'grid-template-columns: 1fr'});
    section('consensus').append(charts, h('p', {class: 'note'},
        'How far the workers’ parameters are from their mean: zero where all agree. Axis and ' +
        'shown combinations as chosen under Curves.'));
    consensus.forEach((metric) => curveChart(metric, charts));
  }
}
