"""How the page looks: on a phone and on a wide screen, by day, by night and on paper."""

STYLE = """
:root { color-scheme: light; --paper: #f6f7f9; --sheet: #fff; --ink: #1c2230; --faint: #5b6474; --rule: #d9dde4;
  --accent: #2459a8; --train: #2f6db5; --val: #7a9a2e; --test: #c96a12; --bad: #b3261e; --bad-sheet: #fbeae8;
  --good: #17704f; --good-sheet: #e6f4ee; }
@media screen and (prefers-color-scheme: dark) { :root { color-scheme: dark; --paper: #12151b; --sheet: #1b2028;
  --ink: #e6e9ef; --faint: #a3acba; --rule: #343b47; --accent: #8ab4f8; --train: #6ba3e8; --val: #a9c957;
  --test: #f0a04b; --bad: #ff8a80; --bad-sheet: #3b2020; --good: #6fd3a8; --good-sheet: #17332a; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
a { color: var(--accent); }
header, main { padding: 0 16px; }
header { padding-top: 22px; }
nav { padding: 10px 16px; border-block: 1px solid var(--rule); margin-top: 16px; }
nav h2 { font-size: 13px; margin: 0 0 4px; color: var(--faint); font-weight: 600; }
nav ol { margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; }
main > section > h2 { font-size: 21px; margin: 38px 0 6px; padding-top: 8px; }
h3 { font-size: 16px; margin: 22px 0 6px; }
figure h3 { font-size: 14.5px; margin: 0 0 6px; }
h2 code, h3 code { font-size: .95em; }
p { margin: 6px 0 10px; max-width: 74ch; }
.quiet, caption { color: var(--faint); font-size: 13.5px; }
code { font: 12.5px/1.4 ui-monospace, monospace; unicode-bidi: isolate; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)); gap: 10px;
  margin: 14px 0; }
.cards div, .box, figure { background: var(--sheet); border: 1px solid var(--rule); border-radius: 8px; }
.cards div { padding: 8px 14px; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.cards dt { color: var(--faint); font-size: 13px; } .cards dd { margin: 0; font-size: 22px; font-weight: 650; }
.box { padding: 10px 14px; margin: 10px 0; min-width: 0; max-width: 900px; }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 14px;
  align-items: start; margin: 10px 0; }
.row > * { margin: 0; }
figure { margin: 0; padding: 10px 12px; min-width: 0; }
.plot { display: block; width: 100%; height: auto; max-width: 460px; }
.plot text { font: 11.5px system-ui, sans-serif; fill: var(--ink); } .plot .quiet { fill: var(--faint); }
.plot .small { font-size: 10px; fill: var(--faint); }
.plot line { stroke: var(--rule); } .plot line.axis { stroke: var(--faint); }
.plot line.cut { stroke-dasharray: 3 3; stroke: var(--faint); stroke-opacity: .55; }
.plot line.interval { stroke: var(--train); stroke-width: 4; stroke-opacity: .4; }
.plot .train { fill: var(--train); } .plot .val { fill: var(--val); } .plot .test { fill: var(--test); }
.plot .line { fill: none; stroke-width: 1.8; }
.plot .line.train { stroke: var(--train); } .plot .line.val { stroke: var(--val); }
.plot .line.test { stroke: var(--test); }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 5px; }
.key.train { background: var(--train); } .key.val { background: var(--val); } .key.test { background: var(--test); }
.wide { overflow-x: auto; background: var(--sheet); border: 1px solid var(--rule); border-radius: 8px;
  padding: 4px 14px 8px; margin: 10px 0; width: fit-content; max-width: 100%; overflow-wrap: normal; }
figure .wide { border: 0; padding: 0; margin: 6px 0 0; background: none; }
figure .wide table { font-size: 12px; } figure th, figure td { padding: 3px 5px 3px 0; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 6px 0 2px; }
th, td { text-align: left; vertical-align: top; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--rule); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--faint); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; }
tr.total > * { font-weight: 650; border-top: 2px solid var(--rule); }
th.n, td.n { text-align: right; padding-left: 4px; white-space: nowrap; }
.wide th, .wide td { white-space: nowrap; }
.wide td.words { min-width: 15em; max-width: 44em; white-space: normal; overflow-wrap: anywhere; }
.wide caption { min-width: 0; }
.flow { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; margin: 10px 0; } .flow > * { margin: 0; }
details { margin: 10px 0; } summary { cursor: pointer; color: var(--accent); }
table.bars { width: 100%; }
.bars th[scope=row] { min-width: 9em; max-width: 24em; overflow-wrap: anywhere; }
.bars th, .bars td { padding: 2px 10px 2px 0; border-bottom: 0; } .bars thead > * > * { padding-bottom: 4px; }
.bars td.bar { width: 40%; min-width: 44px; vertical-align: middle; }
.bars .bar span { display: block; height: 10px; min-width: 1px; border-radius: 2px; background: var(--train); }
.yes { color: var(--good); } .no { color: var(--bad); } .unknown { color: var(--faint); }
.told { border-left: 4px solid var(--faint); background: var(--sheet); padding: 8px 14px; margin: 10px 0;
  border-radius: 0 8px 8px 0; max-width: 90ch; }
.told.good { border-color: var(--good); background: var(--good-sheet); }
.told.bad { border-color: var(--bad); background: var(--bad-sheet); }
.told p { margin: 2px 0; } .told ul { margin: 4px 0; padding-left: 20px; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(46%, 148px), 1fr)); gap: 10px;
  list-style: none; margin: 8px 0; padding: 0; }
.groups { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 600px), 1fr)); gap: 0 22px; }
.groups > * { min-width: 0; } .groups .sheet { grid-template-columns: repeat(auto-fill, minmax(min(46%, 108px), 1fr)); }
.sheet li { background: var(--sheet); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }
.sheet .frame { display: flex; align-items: center; justify-content: center; aspect-ratio: 4 / 3;
  background: #16181d; color: #c9ced8; font-size: 12px; text-align: center; }
.sheet .frame span { padding: 6px; }
.sheet img { display: block; max-width: 100%; max-height: 100%; object-fit: contain; }
.sheet .caption { padding: 6px 8px 8px; font-size: 12.5px; line-height: 1.4; }
.sheet .caption code { font-size: 11px; display: block; color: var(--faint); }
.cloud { line-height: 1.25; margin: 10px 0; max-width: none; }
.cloud span { margin-right: .5em; color: var(--accent); }
pre { background: var(--sheet); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; margin: 10px 0;
  font: 12.5px/1.45 ui-monospace, monospace; white-space: pre-wrap; max-height: 32em; overflow-y: auto; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (min-width: 1100px) {
  body { display: grid; grid-template-columns: 210px minmax(0, 1fr); grid-template-rows: auto 1fr;
    max-width: 1560px; margin: 0 auto; column-gap: 12px; }
  header { grid-column: 2; }
  nav { grid-column: 1; grid-row: 1 / 3; border: 0; margin: 0; position: sticky; top: 0; align-self: start;
    max-height: 100vh; overflow-y: auto; padding: 26px 8px 20px 20px; }
  nav ol { display: block; } nav li { margin: 5px 0; }
  main { grid-column: 2; padding-bottom: 60px; }
}
@media print {
  body { font-size: 11px; background: #fff; } nav { display: none; }
  details::details-content { content-visibility: visible; height: auto; }
  pre { max-height: none; } .wide { overflow: visible; }
  figure, .box, .sheet li, .told, tr { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
  .sheet { grid-template-columns: repeat(8, 1fr); }
  * { print-color-adjust: exact; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
"""
