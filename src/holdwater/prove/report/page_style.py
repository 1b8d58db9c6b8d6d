"""The style sheet of the page. Broker colours are Okabe and Ito's, which stay apart for colour-blind readers; text keeps 4.5:1 on its ground."""

STYLE = """
:root{--ground:#fff;--text:#1c2126;--dim:#59636e;--line:#d5dae0;--soft:#f3f5f7;--held:#136c3a;--held-bg:#d8f0e0;--broken:#a1121f;--broken-bg:#fbdcde;
--invalid:#7a4b00;--invalid-bg:#fbe9c6;--skipped:#4b5560;--skipped-bg:#e6e9ec;--ok:#12805c;--sent:#9aa4ae;--read:#1f6fb5;--pause:#c9302c;--fault:#c9302c;
--start:#12805c;--b0:#0072b2;--b1:#56b4e9;--b2:#e69f00;--b3:#009e73;--b4:#cc79a7;--b5:#d55e00;--b6:#f0e442;--b7:#8a8f98;--on-bar:#10151a;
--isr0:#2f6f8f;--isr1:#8fb9cc;--isr2:#d9c08a;--isr3:#d98a8a}
@media(prefers-color-scheme:dark){:root{--ground:#14181c;--text:#e6eaee;--dim:#9aa5b1;--line:#333b44;--soft:#1c2228;--held:#7fe0a6;--held-bg:#12402a;
--broken:#ffabb1;--broken-bg:#571a20;--invalid:#ffd88a;--invalid-bg:#4d3708;--skipped:#c0c8d0;--skipped-bg:#333b44;--ok:#45c79a;--sent:#66717d;
--read:#6db3f0;--pause:#e5605b;--fault:#ff7b76;--start:#45c79a;--isr0:#3f86a8;--isr1:#7fa6b8;--isr2:#b79a5a;--isr3:#b06060}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.5rem;line-height:1.3;margin:.2em 0 .4em}h2{font-size:1.1rem;margin:2em 0 .6em;border-bottom:1px solid var(--line);padding-bottom:.3em}
h3{font-size:1rem;margin:1.2em 0 .3em}p{margin:.4em 0}.crumb,small,.detail,figcaption .legend{color:var(--dim)}.crumb{font-size:.85rem;margin:0}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--soft);padding:1px 4px;border-radius:3px;overflow-wrap:anywhere}
.badge{display:inline-block;border-radius:6px;padding:1px 10px;font-weight:600}.badge.small{font-size:.85rem;padding:0 8px}
.held{color:var(--held);background:var(--held-bg)}.broken{color:var(--broken);background:var(--broken-bg)}
.invalid{color:var(--invalid);background:var(--invalid-bg)}.skipped{color:var(--skipped);background:var(--skipped-bg)}
.flaws{background:var(--invalid-bg);color:var(--invalid);border-radius:6px;padding:10px 14px 10px 32px;margin:10px 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:5px 10px 5px 0;border-bottom:1px solid var(--line)}tbody th{font-weight:400}
thead th{color:var(--dim);font-weight:600;font-size:.82rem}.numbers td{white-space:nowrap;font-variant-numeric:tabular-nums}
.numbers .figure{text-align:right;padding-right:28px}
tr.open>*{border-bottom:0;padding-bottom:0}
.numbers td.detail{font-size:.82rem;white-space:normal;overflow-wrap:anywhere;padding-top:2px}
.prose{white-space:normal;display:inline-block;min-width:26ch}
figure{margin:14px 0}figcaption{font-weight:600;font-size:.9rem;display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline}
.legend{font-weight:400;font-size:.82rem}.entry{margin-right:12px;white-space:nowrap}.swatch{width:11px;height:11px;margin-right:4px;vertical-align:-1px}
figure svg:not(.swatch){display:block;width:100%;min-width:640px;height:auto}
.key{display:inline-block;width:0;height:12px;border-left:2px solid;margin:0 4px -1px 0}.fault-key{color:var(--fault)}.start-key{color:var(--start)}
svg text{font:11px system-ui,sans-serif;fill:var(--dim)}svg .inside{fill:var(--on-bar);font-weight:600}
.grid{stroke:var(--line);stroke-width:1}
line.fault{stroke:var(--fault);stroke-width:1.5}line.start{stroke:var(--start);stroke-width:1.5;stroke-dasharray:4 3}
svg .fault-text{fill:var(--fault);font-weight:600}svg .start-text{fill:var(--start);font-weight:600}
polyline.line{fill:none;stroke-width:1.6}.sent{stroke:var(--sent)}.acknowledged{stroke:var(--ok)}.read{stroke:var(--read)}
rect.sent{fill:var(--sent);stroke:none}rect.acknowledged{fill:var(--ok);stroke:none}rect.read{fill:var(--read);stroke:none}
.pause-write{fill:var(--pause)}.pause-read{fill:none;stroke:var(--read);stroke-width:1.5}.nobody{fill:var(--pause)}
rect.pause-write+.inside{fill:#fff}
.b0{fill:var(--b0)}.b1{fill:var(--b1)}.b2{fill:var(--b2)}.b3{fill:var(--b3)}.b4{fill:var(--b4)}.b5{fill:var(--b5)}.b6{fill:var(--b6)}.b7{fill:var(--b7)}
.missing0{fill:var(--isr0)}.missing1{fill:var(--isr1)}.missing2{fill:var(--isr2)}.missing3{fill:var(--isr3)}rect.missing0+.inside{fill:#fff}
.h0{stroke:var(--b0)}.h1{stroke:var(--b1)}.h2{stroke:var(--b2)}.h3{stroke:var(--b3)}.h4{stroke:var(--b4)}.h5{stroke:var(--b5)}.h6{stroke:var(--b6)}.h7{stroke:var(--b7)}
rect.h0{fill:var(--b0);stroke:none}rect.h1{fill:var(--b1);stroke:none}rect.h2{fill:var(--b2);stroke:none}rect.h3{fill:var(--b3);stroke:none}
rect.h4{fill:var(--b4);stroke:none}rect.h5{fill:var(--b5);stroke:none}rect.h6{fill:var(--b6);stroke:none}rect.h7{fill:var(--b7);stroke:none}
details{border-bottom:1px solid var(--line);padding:4px 0}summary{cursor:pointer}footer{margin-top:2.5em;font-size:.85rem;color:var(--dim)}
@media(max-width:600px){main{padding:14px 12px 32px}h1{font-size:1.2rem}table{font-size:.86rem}}
@media print{.scroll{overflow:visible}figure svg:not(.swatch){min-width:0}}
"""
