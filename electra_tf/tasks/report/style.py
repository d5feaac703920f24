"""How the page looks: light and dark, wide and narrow."""

CSS = """
:root { color-scheme: light dark; --page: #f6f7f9; --surface: #ffffff; --ink: #1b1f24; --muted: #5b6470;
  --line: #dde1e6; --first: #1f6fd1; --second: #c2570c; --mark: #eaf2fd; }
@media (prefers-color-scheme: dark) { :root { --page: #101317; --surface: #191d23; --ink: #e8ebef; --muted: #a3adb9;
  --line: #343b45; --first: #6aa9f4; --second: #f0954a; --mark: #1e2c40; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .2rem; }
h3 { font-size: .95rem; margin: 1rem 0 .3rem; overflow-wrap: anywhere; }
p { margin: 0 0 .8rem; } .note { color: var(--muted); font-size: .9rem; max-width: 48rem; }
section, details { background: var(--surface); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem 1.1rem; margin-top: 1rem; }
summary { cursor: pointer; } summary h2 { display: inline; }
details[open] summary { margin-bottom: .6rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; margin: 1.2rem 0 0; }
.facts div { background: var(--surface); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; }
.facts dt { color: var(--muted); font-size: .8rem; } .facts dd { margin: 0; }
.facts .value { font-size: 1.45rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.facts .about { color: var(--muted); font-size: .78rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1rem; }
.pictures svg { max-width: 30rem; } svg { width: 100%; height: auto; display: block; }
svg text { font-family: system-ui, sans-serif !important; }
.wide { overflow-x: auto; } * + .wide, .wide + * { margin-top: .9rem; } .note + .wide { margin-top: 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: .85rem; padding-bottom: .4rem; }
th, td { padding: .32rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; font-size: .82rem; white-space: nowrap; }
td { white-space: pre-line; } .number { text-align: right; white-space: nowrap; }
tr.marked > * { background: var(--mark); }
td.long { min-width: 14rem; overflow-wrap: anywhere; }
.matrix { min-width: min(26rem, 100%); }
.matrix td { text-align: right; min-width: 3.6rem; border: 2px solid var(--surface); border-radius: .3rem;
  background: color-mix(in srgb, var(--first) var(--share), var(--surface)); }
.matrix th { border: 0; } .matrix thead th { white-space: normal; vertical-align: bottom; }
.matrix td small { display: block; opacity: .85; font-size: .75rem; }
.text { line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.for, .against { border-radius: .2rem; padding: .15rem 0; box-decoration-break: clone; }
.for { background: color-mix(in srgb, var(--first) var(--share), transparent); }
.against { background: color-mix(in srgb, var(--second) var(--share), transparent); text-decoration: underline dotted; }
.key span { padding: .1rem .4rem; margin-right: .6rem; --share: 55%; }
@media (max-width: 40rem) { main { padding: 1.2rem .7rem 3rem; } section, details { padding: .8rem .8rem; }
  th, td { padding: .3rem .45rem; } .facts .value { font-size: 1.15rem; }
  .texts thead { display: none; } .texts tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid var(--line); }
  .texts td { border: 0; padding: .15rem .9rem .15rem 0; } .texts td.long { flex-basis: 100%; }
  .texts td::before { content: attr(data-name) " "; color: var(--muted); font-size: .8rem; } }
@media print { body { background: none; } section, details { break-inside: avoid; } }
"""
