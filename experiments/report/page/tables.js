// Results, time, statistics, runs: what is said in words and tables.

// A table that sorts by any column: rows are arrays of {text, key, node, title}.
function sortableTable(caption, columns, rows) {
  const body = h('tbody', {});
  const heads = columns.map((column, c) => {
    const button = h('button', {type: 'button', onclick: () => sort(c)},
        h('span', {class: /.{8} .{8}/.test(column.text) ? 'wrap' : null}, column.text));
    return h('th', {scope: 'col', class: 'sortable' + (column.number ? ' number' : ''),
      'aria-sort': 'none'}, button);
  });
  const lines = rows.map((row) => ({row, line: h('tr', {}, ...row.map((cell, c) =>
    h('td', {class: columns[c].number ? 'number' : null, title: cell.title},
        cell.node || cell.text)))}));
  function sort(c) {
    const before = heads[c].getAttribute('aria-sort');
    const direction = before === 'ascending' ? -1 : 1;
    heads.forEach((head, i) => head.setAttribute('aria-sort', i !== c ? 'none' :
        direction === 1 ? 'ascending' : 'descending'));
    const missing = (key) => key === undefined || key === null || key === '';
    lines.sort((a, b) => {
      const x = a.row[c].key, y = b.row[c].key;
      if (missing(x) || missing(y)) return missing(x) - missing(y);  // last in both directions
      const order = typeof x === 'number' && typeof y === 'number' ? x - y :
          String(x).localeCompare(String(y), 'en', {numeric: true});
      return direction * order;
    });
    body.append(...lines.map(({line}) => line));
  }
  body.append(...lines.map(({line}) => line));
  return h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption},
      h('table', {}, h('caption', {class: 'hidden'}, caption),
          h('thead', {}, h('tr', {}, ...heads)), body));
}

function numberCell(value, text) {
  return {key: value, text: text === undefined ? number(value) : text};
}

function leftOutText(combination) {
  return Object.entries(combination.left_out).map(([status, count]) => count + ' ' + status)
      .join(', ');
}

function statusCounts() {
  const counts = {};
  data.runs.forEach((run) => counts[run.status] = (counts[run.status] || 0) + 1);
  return counts;
}

// The best combination in a sentence, as far as that is decided.
function verdictText() {
  const scored = data.combinations.filter((combination) => combination.score.count > 0);
  if (scored.length === 0) return 'No run is done yet, so there is nothing to rank.';
  const best = scored[0];
  const result = data.metric + ' ' + meanText(best.score);
  if (scored.length === 1) return best.label + ': ' + result + '.';
  const against = data.comparisons.filter((comparison) => comparison.a === 0);
  const equals = against.filter((comparison) => comparison.verdict !== 'first');
  const unknown = equals.filter((comparison) => comparison.verdict === 'unknown').length;
  let text = best.label + ' has the ' + (data.larger_is_better ? 'highest ' : 'lowest ') + result;
  if (equals.length === 0) return text + ', distinguishably better than every other combination.';
  if (unknown === against.length) {
    return text + '; with fewer than two common seeds that may be chance.';
  }
  if (equals.length === 1) {
    return text + ', but is not distinguishable from ' + data.combinations[equals[0].b].label + '.';
  }
  return text + ', but ' + (equals.length === against.length ? 'none' : equals.length) + ' of the ' +
      against.length + ' others ' + (equals.length === against.length ? 'is distinguishable' :
      'are not distinguishable') + ' from it.';
}

// Round numbers between low and high.
function ticks(low, high, count) {
  let step = 10 ** Math.floor(Math.log10((high - low) / count));
  for (const factor of [2, 2.5, 2]) if ((high - low) / step > count) step *= factor;
  const marks = [];
  for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; ++i) marks.push(i * step);
  return marks;
}

function ranking() {
  const scored = data.combinations.filter((combination) => combination.score.count > 0);
  if (scored.length === 0 || (data.combinations.length === 1 && scored[0].score.count === 1)) {
    return '';
  }
  const values = scored.flatMap(({score, scores}) => [...scores, score.mean,
    ...(score.low === undefined ? [] : [score.low, score.high])]);
  let low = Math.min(...values), high = Math.max(...values);
  const margin = (high - low) * 0.04 || Math.abs(high) * 0.1 || 1;
  low -= margin;
  high += margin;
  const at = (value) => (100 * (value - low) / (high - low)).toFixed(2) + '%';
  const marks = ticks(low, high, 6);
  const grid = h('div', {class: 'ranking'});
  const most = 12;
  function row(combination, i) {
    const {score, scores, label} = combination;
    const left = leftOutText(combination);
    const track = h('div', {class: 'track', style: 'color: ' + colourVariable(i),
      title: label + ': ' + scores.map((value) => number(value, 5)).join(', ')},
    ...marks.map((mark) => h('i', {style: 'left: ' + at(mark)})));
    if (score.low !== undefined) {
      track.append(h('span', {class: 'band', style: 'left: ' + at(score.low) + '; width: ' +
          (100 * (score.high - score.low) / (high - low)).toFixed(2) + '%'}));
    }
    if (scores.length > 1) {
      track.append(...scores.map((value) => h('span', {class: 'seed', style: 'left: ' + at(value)})));
    }
    track.append(h('span', {class: 'mean', style: 'left: ' + at(score.mean)}));
    return h('div', {class: 'row'}, h('div', {class: 'name'}, label), track,
        h('div', {class: 'value'}, meanText(score), ' ', h('small', {}, 'n = ' + score.count, ' ',
            left ? h('span', {class: 'left'}, 'without ' + left) : null)));
  }
  grid.append(...scored.slice(0, most).map(row));
  const scale = h('div', {class: 'row', 'aria-hidden': 'true'}, h('div', {}),
      h('div', {class: 'scale'}, ...marks.map((mark) =>
        h('span', {style: 'left: ' + at(mark)}, markText(mark, marks[1] - marks[0])))),
  h('div', {}));
  grid.append(scale);
  const box = h('div', {}, grid);
  if (scored.length > most) {
    const button = h('button', {type: 'button', class: 'more', onclick: () => {
      button.remove();
      scored.slice(most).forEach((combination, i) => scale.before(row(combination, most + i)));
    }}, 'Show all ' + scored.length + ' combinations');
    box.append(button);
  }
  return box;
}

function overviewSection() {
  const counts = statusCounts();
  const combinations = data.combinations.length;
  section('subtitle').textContent = [plural(data.runs.length, 'run'),
    combinations > 1 ? plural(combinations, 'combination') : null,
    'ranked by ' + data.metric + ', ' + (data.larger_is_better ? 'larger' : 'smaller') +
        ' is better', data.any_simulated ? 'time is simulated' : null].filter(Boolean).join(' · ');
  const parent = section('overview');
  parent.append(h('p', {class: 'verdict'}, verdictText()));
  const tile = (name, ...value) => h('div', {class: 'tile'}, h('dt', {}, name),
      h('dd', {}, ...value));
  const others = Object.entries(counts).filter(([status]) => status !== 'done');
  const tiles = [tile('runs done', String(counts.done || 0),
      h('small', {}, ' of ' + data.runs.length))];
  others.forEach(([status, count]) => tiles.push(tile(status,
      h('span', {class: ['diverged', 'failed'].includes(status) ? 'left' : null}, String(count)))));
  const best = data.combinations[0];
  if (best) {
    const shown = [['steps', 'steps', number],
      [best.numbers.sim_seconds === undefined ? 'wall_seconds' : 'sim_seconds',
        best.numbers.sim_seconds === undefined ? 'seconds' : 'simulated seconds', number],
      ['bytes_sent_per_worker', 'sent per worker', bytesText],
      ['consensus_distance', 'consensus distance', (value) => number(value, 2)]];
    for (const [name, text, format] of shown) {
      if (best.numbers[name] === undefined) continue;
      tiles.push(tile(text + (combinations > 1 ? ' (best)' : ''),
          format(best.numbers[name])));
    }
  }
  parent.append(h('dl', {class: 'tiles'}, ...tiles), ranking());
  if (data.combinations.some((combination) => combination.score.count > 1)) {
    parent.append(h('p', {class: 'note'},
        'Large dots are means, small ones seeds, bars 95 % intervals of the mean (Student’s t).'));
  }
}

function timeSection() {
  const parent = section('time');
  const timed = data.combinations.map((c, i) => i).filter((i) =>
    data.combinations[i].numbers['step_ms/mean'] !== undefined);
  if (timed.length === 0) {
    parent.hidden = true;
    return;
  }
  const drawn = timed.slice(0, 16);
  const {box, canvas, spoken} = chartBox('Where a step’s milliseconds go',
      'Milliseconds per step by phase, one bar per combination; arrow keys read values');
  box.querySelector('.plot').style.height = 76 + 34 * drawn.length + 'px';
  parent.append(box);
  const short = (label, most) => label.length > most ? label.slice(0, most - 1) + '…' : label;
  const chart = new Chart(canvas, {type: 'bar', data: {}, options: {indexAxis: 'y',
    interaction: {mode: 'index', axis: 'y', intersect: false}}});
  function refresh() {
    chart.data = {
      labels: drawn.map((i) => short(data.combinations[i].label, innerWidth < 700 ? 16 : 36)),
      datasets: data.phases.map((phase, p) => ({
        label: phase, backgroundColor: styleValue('--p' + p), barPercentage: 0.72,
        data: drawn.map((i) => data.combinations[i].numbers['phase_ms/' + phase]),
      })),
    };
    chart.options.scales = {
      x: scaleOptions({stacked: true, title: {display: true, text: 'ms per step',
        color: styleValue('--soft')}}),
      y: scaleOptions({stacked: true, grid: {display: false}, ticks: {
        color: styleValue('--ink'), autoSkip: false, mirror: false,
        callback: (value, index) => chart.data.labels[index]}}),
    };
    chart.options.plugins = {
      legend: {position: 'top', align: 'start', labels: {color: styleValue('--ink'), boxWidth: 12,
        boxHeight: 12}},
      tooltip: tooltipOptions({
        label: (item) => ' ' + item.dataset.label + ': ' + number(item.parsed.x, 4) + ' ms'}),
    };
    chart.update();
  }
  enableKeys(canvas, chart, spoken);
  refresh();
  view.charts.push({refresh});
  const several = data.combinations.length > 1;
  const columns = [...(several ? [{text: 'combination'}] : []), {text: 'step ms', number: true},
    {text: 'p50', number: true}, {text: 'p99', number: true}, {text: 'waiting ms', number: true},
    {text: 'hidden communication', number: true}, {text: 'slowest worker computes', number: true},
    {text: 'median computes', number: true}];
  predictionTable(parent, timed, several);
  parent.append(h('details', {open: !several || timed.length <= 8},
      h('summary', {}, 'Step times as numbers'),
      sortableTable('Step times', columns, timed.map((i) => {
        const {label, numbers} = data.combinations[i];
        const overlap = numbers.overlap_fraction;
        return [...(several ? [{text: label, key: label}] : []),
          numberCell(numbers['step_ms/mean']), numberCell(numbers['step_ms/p50']),
          numberCell(numbers['step_ms/p99']), numberCell(numbers.exposed_comm_ms),
          numberCell(overlap, overlap === undefined ? '–' : number(100 * overlap, 3) + ' %'),
          numberCell(numbers['slowest_worker/compute_ms']),
          numberCell(numbers['slowest_worker/median_compute_ms'])];
      }))));
  parent.append(h('p', {class: 'note'}, 'Means over steps, workers and seeds. ' +
      (data.any_simulated ? 'Times of simulated runs are those of the simulated cluster.' :
          'Workers that share a machine share its cores, so these times are not a cluster’s.')));
}

// What the runtime model said before the run, where it was asked.
function predictionTable(parent, timed, several) {
  const predicted = timed.filter((i) =>
    data.combinations[i].numbers['predicted/step_ms/mean'] !== undefined);
  if (predicted.length === 0) return;
  const columns = [...(several ? [{text: 'combination'}] : []), {text: 'predicted ms', number: true},
    {text: data.any_simulated ? 'simulated ms' : 'measured ms', number: true},
    {text: 'error', number: true}];
  parent.append(h('h3', {}, 'Predicted and ' + (data.any_simulated ? 'simulated' : 'measured')),
      sortableTable('Predicted step times', columns, predicted.map((i) => {
        const {label, numbers} = data.combinations[i];
        const said = numbers['predicted/step_ms/mean'];
        const seen = numbers['step_ms/mean'];
        const error = 100 * (said / seen - 1);
        return [...(several ? [{text: label, key: label}] : []), numberCell(said), numberCell(seen),
          numberCell(error, (error < 0 ? '\u2212' : '+') + number(Math.abs(error), 2) + ' %')];
      })), h('p', {class: 'note'}, 'By the runtime model, before the run. It knows nothing of ' +
          'validations and of measuring the consensus distance, behind which exchanges hide, too.'));
}

function statisticsSection() {
  const parent = section('statistics');
  if (data.comparisons.length === 0) {
    parent.hidden = true;
    return;
  }
  const shown = data.comparisons.slice(0, 8);  // those of the best come first
  const none = data.comparisons.every(({verdict}) => verdict === 'unknown');
  parent.append(none ? h('p', {}, 'No two combinations have ' +
      'two seeds in common, so any difference may be chance: run more seeds.') : h('ul', {class: 'sentences'}, ...shown.map(({text}) => h('li', {}, text + '.')),
      shown.length < data.comparisons.length ?
          h('li', {}, data.comparisons.length - shown.length + ' more in the table') : ''));
  const columns = [{text: 'A'}, {text: 'B'}, {text: 'A − B', number: true},
    {text: '95 % interval', number: true}, {text: 'seeds', number: true}, {text: 'p', number: true},
    {text: 'p adjusted', number: true}, {text: 'verdict'}];
  const words = {first: 'A is better', second: 'B is better', neither: 'not distinguishable',
    unknown: 'not comparable'};
  const table = sortableTable('Comparisons', columns, data.comparisons.map((comparison) => {
    const {difference} = comparison;
    const a = data.combinations[comparison.a].label, b = data.combinations[comparison.b].label;
    const interval = difference.low === undefined ? '–' :
        number(difference.low, 3) + ' to ' + number(difference.high, 3);
    return [{text: a, key: a}, {text: b, key: b}, numberCell(difference.mean, number(difference.mean, 3)),
      {text: interval, key: difference.low}, numberCell(difference.count),
      numberCell(comparison.p, number(comparison.p, 2)),
      numberCell(comparison.adjusted, number(comparison.adjusted, 2)),
      {text: words[comparison.verdict], key: words[comparison.verdict]}];
  }));
  parent.append(h('details', {open: data.comparisons.length <= 10},
      h('summary', {}, 'All comparisons as a table'), table), h('p', {class: 'note'}, 'Paired t tests of ' + data.metric + ' over the seeds that ' +
      'both have, two-sided; p values after Holm’s correction for ' +
      plural(data.comparisons.length, 'comparison') + ', significant below 0.05. ' +
      (data.all_pairs ? 'Each is compared with each.' : 'The best is compared with every other ' +
      'one; that it was chosen by the same numbers is not corrected for.')));
}

function runsSection() {
  const has = (name) => data.runs.some((run) => run.numbers[name] !== undefined);
  const shown = [['eval_accuracy', 'eval accuracy'], ['eval_bleu', 'eval BLEU'],
    ['eval_perplexity', 'eval perplexity'], ['eval_loss', 'eval loss'], ['train_loss', 'train loss'],
    ['consensus_distance', 'consensus'], ['steps', 'steps'], ['wall_seconds', 'seconds'],
    ['sim_seconds', 'simulated s'], ['bytes_sent_per_worker', 'sent per worker', bytesText],
  ].filter(([name]) => has(name) && name !== data.metric);
  // Of the workers' own models: where they have not agreed, the averaged model's score hides it.
  const own = has('worker_accuracy/least') ? 'worker_accuracy' : 'worker_loss';
  const spread = has(own + '/least');
  const columns = [{text: 'run'}, ...data.columns.map((text) => ({text})),
    {text: 'seed', number: true}, {text: 'status'}, {text: data.metric, number: true},
    ...(spread ? [{text: own.slice('worker_'.length) + ' over workers', number: true}] : []),
    ...shown.map(([, text]) => ({text, number: true})), {text: 'state digest'}];
  section('runs').append(sortableTable('Runs', columns, data.runs.map((run) => [
    {text: run.id, key: run.id},
    ...run.values.map((value) => ({text: value,
      key: value !== '' && Number.isFinite(Number(value)) ? Number(value) : value})),
    numberCell(run.seed, String(run.seed)),
    {key: run.status, node: h('span', {}, h('span', {class: 'status ' + run.status}, run.status),
        run.message ? h('span', {class: 'why'}, run.message) : null)},
    numberCell(run.score, number(run.score, 5)),
    ...(spread ? [numberCell(run.numbers[own + '/least'], number(run.numbers[own + '/least']) +
        ' to ' + number(run.numbers[own + '/most']))] : []),
    ...shown.map(([name, , format]) => numberCell(run.numbers[name],
        run.numbers[name] === undefined ? '–' : (format || number)(run.numbers[name]))),
    {text: run.state_digest || '–', key: run.state_digest,
      node: h('span', {class: 'mono'}, run.state_digest || '–')}])));
  const others = data.runs.filter((run) => run.status !== 'done').length;
  if (others > 0) {
    section('runs').append(h('p', {class: 'note'}, plural(others, 'run') +
        (others === 1 ? ' is' : ' are') + ' not done and no part of any mean.'));
  }
}

function reproduceSection() {
  const parent = section('reproduce');
  if (data.columns.length > 0) {
    const rows = data.columns.map((column, c) => {
      const values = [...new Set(data.runs.map((run) => run.values[c]))];
      return h('tr', {}, h('td', {class: 'mono'}, column), h('td', {style: 'white-space: normal'},
          values.join(', ')));
    });
    const seeds = [...new Set(data.runs.map((run) => run.seed))].sort((a, b) => a - b);
    rows.push(h('tr', {}, h('td', {class: 'mono'}, 'seed'), h('td', {style: 'white-space: normal'},
        seeds.join(', '))));
    parent.append(h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'What varied'},
        h('table', {style: 'min-width: 0; margin-bottom: 1.2rem'}, h('thead', {}, h('tr', {},
            h('th', {scope: 'col'}, 'what varied'), h('th', {scope: 'col'}, 'values'))),
        h('tbody', {}, ...rows))));
  }
  if (data.commands.length > 0) {
    const text = data.commands.join('\n');
    const button = h('button', {type: 'button', onclick: () => {
      copy(text).then(() => button.textContent = 'Copied', () => button.textContent = 'Select it');
    }}, 'Copy');
    parent.append(h('div', {class: 'code'}, h('pre', {tabindex: 0}, text), button));
  }
  parent.append(h('details', {}, h('summary', {}, 'The whole config'),
      h('pre', {tabindex: 0}, data.config)));
}

// Browsers offer no clipboard to files, so the text is selected and copied as a user would.
function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = h('textarea', {class: 'hidden'}, text);
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done ? Promise.resolve() : Promise.reject(new Error('no clipboard'));
}
