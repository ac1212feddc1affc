// What launcher.sh and loader.cjs do for the Node build. The environment: launch-standalone.c has kept
// it from Bun, whose own is not for anybody else. The name that the command was called by, and a command
// line to call it again.
globalThis[Symbol.for('tsrun.firstLine')] = process.hrtime.bigint()
const environment = {}
for (const entry of require('node:fs').readFileSync('/proc/self/environ', 'utf8').split('\0')) {
  const at = entry.indexOf('=')
  const name = entry.slice(0, at)
  if (at > 0 && !Object.hasOwn(environment, name)) environment[name] = entry.slice(at + 1)
}
environment.TSRUN_ARGV0 = process.argv0
Object.defineProperty(process, 'env', { value: environment, writable: true, enumerable: true })
process.argv[0] = process.argv[1] = process.execPath
