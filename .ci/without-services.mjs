/** Debian starts and enables a daemon where it installs it. Tests start their own, on private directories. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'

const POLICY = '/usr/sbin/policy-rc.d'
const UNITS = '/etc/systemd/system'

/** Runs `install` so that no service that it brings runs, now or after the next boot. */
export function withoutServices(install) {
  const enabled = new Set(enabledUnits())
  const own = !existsSync(POLICY)
  // Forbids only while we live: we may be killed before the file is removed.
  if (own)
    writeFileSync(POLICY, `#!/bin/sh\n[ ! -d /proc/${process.pid} ] || exit 101\n`, { mode: 0o755 })
  try {
    return install()
  } finally {
    if (own) rmSync(POLICY, { force: true })
    const added = enabledUnits().filter((unit) => !enabled.has(unit))
    if (added.length > 0) spawnSync('systemctl', ['--no-reload', 'disable', ...added])
  }
}

function enabledUnits() {
  if (!existsSync(UNITS)) return []
  const wants = readdirSync(UNITS).filter((name) => name.endsWith('.wants'))
  return wants.flatMap((name) => readdirSync(`${UNITS}/${name}`))
}
