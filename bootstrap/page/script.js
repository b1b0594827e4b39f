(function (d) {
// The switch, and back to hidden before it is sent, so that no browser remembers it as words.
var p = d.getElementById('p'), s = d.getElementById('s'), h = d.getElementById('h'), f = d.querySelectorAll('[type=password]'), t;
function see(y) { for (var i = 0; i < f.length; i++) f[i].type = y ? 'text' : 'password' }
if (s) { s.hidden = false; s = s.firstChild; s.checked = false; s.onchange = function () { see(s.checked) }; p.form.onsubmit = function () { see(0) } }
if (!h) return;
h.hidden = false;
// The hint: only what can be counted; the device judges.
var x = h.dataset.texts.split('|'), k = [/[A-Z]/, /[a-z]/, /[0-9]/, /[^A-Za-z0-9]/];
p.oninput = function () { clearTimeout(t); t = setTimeout(function () {
var v = p.value, n = Array.from(v).length, l = k.map(function (r, i) { return r.test(v) ? '' : x[3 + i] }).filter(Boolean), m = h.dataset.least - n;
h.textContent = !n ? '' : m > 0 ? x[0].replace('{}', m) : 4 - l.length < h.dataset.kinds && n < 15 ? x[1].replace('{}', l.join(', ')) : x[2]
}, 300) }
})(document)
