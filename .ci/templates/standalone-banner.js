// What launcher.sh and loader.cjs do for the Node build. The environment: launch-standalone.c has kept
// it from Bun. The name that the command was called by, and a command line to call it again.
globalThis[Symbol.for('tsrun.firstLine')] = process.hrtime.bigint()
for (const entry of require('node:fs').readFileSync('/proc/self/environ', 'utf8').split('\0')) {
  const at = entry.indexOf('=')
  if (at > 0) process.env[entry.slice(0, at)] ??= entry.slice(at + 1)
}
process.env.TSRUN_ARGV0 = process.argv0
process.argv[0] = process.argv[1] = process.execPath
