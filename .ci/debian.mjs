/** Debian packages: which of .ci/debian-packages.txt are missing, and their installation. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withoutServices } from './without-services.mjs'

const LIST = join(dirname(fileURLToPath(import.meta.url)), 'debian-packages.txt')

/** Installs what is missing of `groups`; throws one sentence that names what it cannot install. */
export function installDebianPackages(groups, log) {
  const missing = missingPackages(wantedPackages(groups))
  if (missing.length === 0) return
  log(`installing Debian packages: ${missing.map(({ name }) => name).join(' ')}`)
  if (spawnSync('apt-get', ['--version']).error)
    throw new Error(advice(missing, 'this is not Debian'))
  if (process.geteuid() !== 0) throw new Error(advice(missing, 'only root can install them'))
  const names = missing.map(({ name }) => name)
  // A fresh machine has no package lists, an old one has outdated ones.
  if (install(names).status === 0) return
  aptGet(['update'])
  const result = install(names)
  if (result.status === 0) return
  const lines = `${result.stdout}${result.stderr}`.split('\n')
  const reason = lines.find((line) => line.startsWith('E: ')) ?? 'apt-get install failed'
  throw new Error(advice(missingPackages(missing), reason))
}

function wantedPackages(groups) {
  const lines = readFileSync(LIST, 'utf8').split('\n')
  const rows = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return rows
    .map((line) => {
      const [group, name, ...reason] = line.trim().split(/\s+/)
      return { group, name, reason: reason.join(' ') }
    })
    .filter(({ group }) => groups.includes(group))
}

function missingPackages(packages) {
  const format = `-f=\${Package} \${db:Status-Status}\n`
  const { stdout } = spawnSync('dpkg-query', ['-W', format, ...packages.map(({ name }) => name)], {
    encoding: 'utf8',
  })
  const installed = new Set()
  for (const line of (stdout ?? '').split('\n')) {
    const [name, status] = line.split(' ')
    if (status === 'installed') installed.add(name)
  }
  return packages.filter(({ name }) => !installed.has(name))
}

function install(names) {
  return withoutServices(() => aptGet(['install', '-y', '--no-install-recommends', ...names]))
}

function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', args, { env, encoding: 'utf8', maxBuffer: 1 << 26 })
}

function advice(packages, reason) {
  const names = packages.map(({ name }) => name).join(' ')
  const uses = packages.map(({ name, reason: use }) => `  ${name}: ${use}`).join('\n')
  return `missing Debian packages (${reason}): apt-get install ${names}\n${uses}`
}
