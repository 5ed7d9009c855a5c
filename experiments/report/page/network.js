// The network: topologies as drawings, bytes per link as a heat map.

const centre = 50;

// The place of a worker: on a circle, clockwise from the top, with gaps between machines.
function placeOf(worker, topology) {
  const machines = Math.ceil(topology.workers / topology.workers_per_node);
  const gap = machines > 1 ? 0.6 : 0;
  const machine = Math.floor(worker / topology.workers_per_node);
  const turn = (worker + 0.5 + machine * gap) / (topology.workers + machines * gap);
  const angle = 2 * Math.PI * turn - Math.PI / 2;
  return [centre + 40 * Math.cos(angle), centre + 40 * Math.sin(angle)];
}

// From worker to worker, bent towards the centre, so that it passes by any between them. It ends
// `cut` before the second worker's centre: an arrow ends at the circle, not below it.
function pathOf(edge, topology, cut) {
  const [x1, y1] = placeOf(edge.from, topology), [x2, y2] = placeOf(edge.to, topology);
  const middle = [(x1 + x2) / 2, (y1 + y2) / 2];
  const depth = Math.hypot(centre - middle[0], centre - middle[1]) || 1;
  const between = Math.abs(edge.from - edge.to);
  const pull = between === 1 || between === topology.workers - 1 ? 0 :
      Math.min(0.3, 0.45 * Math.hypot(x2 - x1, y2 - y1) / depth);
  const [x, y] = middle.map((place) => place + pull * (centre - place));
  const share = cut / (Math.hypot(x2 - x, y2 - y) || 1);
  const places = [x1, y1, x, y, x2 - share * (x2 - x), y2 - share * (y2 - y)];
  const [ax, ay, bx, by, cx, cy] = places.map((place) => place.toFixed(2));
  return `M${ax} ${ay} Q${bx} ${by} ${cx} ${cy}`;
}

function graph(topology, round, number_, say) {
  const edges = topology.rounds[round].filter((edge) => edge.to !== edge.from);
  const radius = Math.min(4.8, 72 / topology.workers);
  const directed = !topology.symmetric;
  const marker = 'arrow' + number_ + '-' + round;
  const svg = h('svg', {class: 'graph', viewBox: '0 0 100 100', role: 'img', tabindex: 0,
    'aria-label': 'Round ' + (round + 1) + ' of ' + topology.name + ' over ' +
        plural(topology.workers, 'worker') + '; arrow keys go from worker to worker'});
  if (directed) {
    svg.append(h('defs', {}, h('marker', {id: marker, viewBox: '0 0 6 6', refX: 5.4, refY: 3,
      markerWidth: 3.4, markerHeight: 3.4, orient: 'auto'},
    h('path', {d: 'M0 0 6 3 0 6Z', fill: 'var(--soft)'}))));
  }
  const lines = [];
  for (const edge of edges) {
    if (!directed && edge.to < edge.from) continue;  // one line for both directions
    const line = h('path', {class: 'edge', d: pathOf(edge, topology, directed ? radius + 0.6 : 0),
      'stroke-width': 0.6 + 1.2 * edge.weight,
      'marker-end': directed ? 'url(#' + marker + ')' : null});
    lines.push([edge, line]);
    svg.append(line);
  }
  const workers = [];
  function light(worker) {
    svg.classList.toggle('lit', worker >= 0);
    workers.forEach((circle, w) => circle.classList.toggle('lit', w === worker));
    for (const [edge, line] of lines) {
      line.classList.toggle('lit', edge.to === worker || edge.from === worker);
    }
    if (worker < 0) return;
    const sources = edges.filter((edge) => edge.to === worker)
        .map((edge) => edge.from + ' (' + number(edge.weight, 3) + ')');
    say('Round ' + (round + 1) + ': worker ' + worker +
        (sources.length ? ' receives from ' + sources.join(', ') : ' receives nothing'));
  }
  for (let worker = 0; worker < topology.workers; ++worker) {
    const [cx, cy] = placeOf(worker, topology);
    const machine = Math.floor(worker / topology.workers_per_node);
    const circle = h('circle', {class: 'worker', cx, cy, r: radius,
      style: 'fill: ' + colourVariable(machine), onmouseenter: () => light(worker),
      onmouseleave: () => light(-1)});
    workers.push(circle);
    svg.append(circle);
    if (topology.workers <= 32) {
      svg.append(h('text', {x: cx, y: cy,
        style: 'font-size: ' + radius * 1.05 + 'px'}, String(worker)));
    }
  }
  let at = -1;
  svg.addEventListener('keydown', (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    at = (Math.max(at, step < 0 ? 0 : -1) + step + topology.workers) % topology.workers;
    light(at);
  });
  svg.addEventListener('blur', () => {
    at = -1;
    light(-1);
  });
  return svg;
}

function topologyView(index) {
  const topology = data.topologies[index];
  const inspect = h('p', {class: 'inspect', 'aria-live': 'polite'});
  const say = (text) => inspect.textContent = text;
  const shown = topology.rounds.length;
  const machines = Math.ceil(topology.workers / topology.workers_per_node);
  const facts = [plural(topology.workers, 'worker') + ' on ' + plural(machines, 'machine') +
      (machines > 1 ? ' (colours)' : ''),
    topology.period === 0 ? 'never repeats' : topology.period === 1 ? 'the same every round' :
        'repeats after ' + topology.period + ' rounds',
    topology.exact ? 'averages exactly' :
        'shrinks disagreement to ' + number(topology.rho_period, 3) + ' a period',
    topology.symmetric ? 'symmetric' : 'directed'];
  if (topology.period > shown || topology.period === 0) facts.push('first ' + shown + ' rounds');
  return h('div', {}, h('h3', {}, 'Topology: ' + topology.name),
      h('p', {class: 'note', style: 'margin: 0 0 .8rem'}, facts.join(' · ')),
      h('div', {class: 'rounds' + (shown === 1 ? ' one' : '')},
          ...topology.rounds.map((edges, round) => h('figure', {class: 'round'},
              graph(topology, round, index, say),
              shown > 1 ? h('figcaption', {}, 'round ' + (round + 1)) : ''))),
      inspect);
}

function heatMap(links, label) {
  const inspect = h('p', {class: 'inspect', 'aria-live': 'polite'});
  const size = links.size, cell = 100 / size;
  const most = Math.max(1, ...links.bytes.flat());
  const name = (i) => links.block === 1 ? String(i) : i * links.block + '–' +
      ((i + 1) * links.block - 1);
  const svg = h('svg', {class: 'heat', viewBox: '-11 -9 111.5 109.5', role: 'img', tabindex: 0,
    'aria-label': 'Bytes from every worker to every other in ' + label +
        '; arrow keys go from cell to cell'});
  const rects = [];
  let lit = null;
  function light(from, to) {
    if (lit) lit.classList.remove('lit');
    lit = from < 0 ? null : rects[from][to];
    if (!lit) return;
    lit.classList.add('lit');
    lit.parentNode.append(lit);  // on top of its neighbours
    inspect.textContent = 'worker ' + name(from) + ' → ' + name(to) + ': ' +
        bytesText(links.bytes[from][to]);
  }
  const cells = h('g', {});
  for (let from = 0; from < size; ++from) {
    rects.push([]);
    for (let to = 0; to < size; ++to) {
      const share = links.bytes[from][to] / most;
      const rect = h('rect', {x: to * cell, y: from * cell, width: cell - 0.4,
        height: cell - 0.4, rx: Math.min(1, cell / 6),
        fill: 'rgba(var(--heat), ' + (share === 0 ? 0.06 : 0.14 + 0.86 * share).toFixed(3) + ')',
        onmouseenter: () => light(from, to)});
      rects[from].push(rect);
      cells.append(rect);
    }
  }
  svg.append(cells);
  const every = Math.ceil(size / 12);
  for (let i = 0; i < size; i += every) {
    svg.append(h('text', {x: (i + 0.5) * cell, y: -2.8}, name(i)),
        h('text', {x: -3.8, y: (i + 0.5) * cell}, name(i)));
  }
  svg.append(h('text', {x: 50, y: -7}, 'to worker'),
      h('text', {x: 0, y: 0, transform: 'translate(-9 50) rotate(-90)'}, 'from worker'));
  let from = -1, to = 0;
  svg.addEventListener('keydown', (event) => {
    const move = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0],
      ArrowUp: [-1, 0]}[event.key];
    if (!move) return;
    event.preventDefault();
    const inside = (i) => Math.min(size - 1, Math.max(0, i));
    [from, to] = from < 0 ? [0, 0] : [inside(from + move[0]), inside(to + move[1])];
    light(from, to);
  });
  svg.addEventListener('blur', () => light(from = -1, 0));
  const total = links.bytes.flat().reduce((sum, bytes) => sum + bytes, 0);
  return h('div', {}, h('h3', {}, 'Bytes per link'),
      h('p', {class: 'note', style: 'margin: 0 0 .8rem'}, bytesText(total) + ' of training ' +
          'traffic in all' + (links.block > 1 ? ', in blocks of ' + links.block + ' workers' : '')),
      svg, h('div', {class: 'heatlegend'}, '0', h('i', {}), bytesText(most)), inspect);
}

function networkSection() {
  const parent = section('network');
  const indices = data.combinations.map((c, i) => i).filter((i) =>
    data.combinations[i].links || data.combinations[i].topology !== undefined);
  if (indices.length === 0) {
    parent.hidden = true;
    return;
  }
  const body = h('div', {});
  function show(index) {
    const {topology, links, label} = data.combinations[index];
    const parts = [topology === undefined ? null : topologyView(topology),
      links ? heatMap(links, label) : null].filter(Boolean);
    body.className = 'split' + (parts.length === 1 ? ' single' : '');
    body.replaceChildren(...parts);
  }
  if (indices.length > 1) {
    parent.append(h('div', {class: 'tools'}, combinationSelect('of', indices, show)));
  }
  parent.append(body);
  show(indices[0]);
}
