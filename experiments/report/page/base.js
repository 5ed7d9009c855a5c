'use strict';
// The report's data, and what all its parts use. PageJson in page.cc writes:
//
//   title, columns, metric, larger_is_better, any_simulated, any_measured, phases, config, commands
//   combinations  best first: label, values, runs (indices), score {count, mean, deviation, low,
//                 high}, scores (of the seeds), left_out {status: count}, unfinished, numbers,
//                 curves [{step, seconds, megabytes, curves: {metric: {mean, half}}}], links,
//                 topology (index), workers
//   runs          id, status, seed, values, score, numbers, message, state_digest
//   topologies    as `starling describe topology --json`, and workers_per_node
//   comparisons   a, b (combinations), difference, p, adjusted, verdict, text; all_pairs
const data = JSON.parse(document.getElementById('data').textContent);

// Makes an element: attributes, on... for listeners, then children (nodes or text).
function h(tag, attributes, ...children) {
  const svg = ['svg', 'g', 'circle', 'line', 'path', 'rect', 'text', 'title', 'defs', 'marker'];
  const element = svg.includes(tag) ?
      document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function section(id) {
  return document.getElementById(id);
}

// A number as people read it: about `digits` significant ones.
function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    return value.toExponential(Math.max(digits - 2, 1)).replace('e+', 'e').replace('.0e', 'e')
        .replace(/-/g, '−');
  }
  const decimals = size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  const text = value.toLocaleString('en-US', {maximumFractionDigits: Math.min(decimals, 8)});
  return text.replace('-', '−').replace(/,/g, '\u202f');
}

// A mark of an axis whose marks are `step` apart: with the decimals that tell them apart.
function markText(value, step) {
  const size = Math.max(Math.abs(value), step);
  if (!(step > 0) || size >= 1e6 || step < 1e-6) return number(value, 3);
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return (Object.is(value, -0) ? 0 : value).toFixed(decimals).replace('-', '−');
}

// "0.8912 ± 0.0031": as many decimals as two digits of the interval have.
function meanText(score) {
  if (!score || !score.count) return '–';
  if (score.low === undefined) return number(score.mean, 5);
  const half = (score.high - score.low) / 2;
  if (!(half > 0)) return number(score.mean, 5) + ' ± 0';
  const decimals = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(half))));
  return score.mean.toFixed(decimals).replace('-', '−') + ' ± ' + half.toFixed(decimals);
}

function bytesText(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    ++unit;
  }
  return number(bytes, 3) + ' ' + units[unit];
}

function plural(count, thing) {
  return count + ' ' + thing + (count === 1 ? '' : 's');
}

const colours = 10;
function colourVariable(index) {
  return 'var(--c' + index % colours + ')';
}
function styleValue(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
// Combinations beyond the number of colours have dashed lines.
function isDashed(index) {
  return Math.floor(index / colours) % 2 === 1;
}

// Some buttons of which one is pressed; `chosen` is told its value.
function choice(label, options, value, chosen) {
  const buttons = options.map(([name, text]) => h('button', {
    type: 'button', 'aria-pressed': String(name === value), onclick: () => {
      buttons.forEach((button, i) => button.setAttribute(
          'aria-pressed', String(options[i][0] === name)));
      chosen(name);
    }}, text));
  return h('div', {class: 'choice', role: 'group', 'aria-label': label}, ...buttons);
}

// A list of the combinations that have something; `chosen` is told the index.
function combinationSelect(label, indices, chosen) {
  const select = h('select', {onchange: () => chosen(Number(select.value))},
      ...indices.map((i) => h('option', {value: i}, data.combinations[i].label)));
  return h('label', {}, label, select);
}

// Light or dark: as the system says, unless the button has said otherwise.
const theme = {
  listeners: [],
  isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  },
  announce() {
    section('theme').textContent = theme.isDark() ? '☀ Light' : '☾ Dark';
    section('theme').setAttribute('aria-label',
        theme.isDark() ? 'Change to light colours' : 'Change to dark colours');
    theme.listeners.forEach((listener) => listener());
  },
  start() {
    section('theme').addEventListener('click', () => {
      document.documentElement.dataset.theme = theme.isDark() ? 'light' : 'dark';
      theme.announce();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', theme.announce);
    theme.announce();
  },
};
