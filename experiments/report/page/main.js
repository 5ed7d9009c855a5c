// Puts the report together.
overviewSection();
curveSections();
networkSection();
timeSection();
statisticsSection();
runsSection();
reproduceSection();

section('contents').append(...[...document.querySelectorAll('section:not([hidden])')].map((part) =>
  h('a', {href: '#' + part.id}, part.querySelector('h2').textContent)));
theme.listeners.push(view.refresh);
theme.start();
