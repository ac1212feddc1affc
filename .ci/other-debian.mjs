/** Packages of another release of Debian: no source of the machine is added, and nothing is installed on it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const MIRROR = 'http://deb.debian.org/debian'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * An apt of its own in the new `directory` that knows the release `suite`. `fetch` unpacks packages into
 * `directory`/root, with what they depend on unless `alone`; `dependencies` lists the packages that one depends on.
 */
export function openRelease(suite, directory) {
  const archives = join(directory, 'archives')
  mkdirSync(join(archives, 'partial'), { recursive: true })
  const options = aptOptions(suite, directory)
  run('apt-get', [...options, 'update'])
  return {
    fetch(names, { alone = false } = {}) {
      const install = ['install', '-y', '--no-install-recommends', '--download-only']
      if (alone) run('apt-get', [...options, 'download', ...names], archives)
      else run('apt-get', [...options, ...install, ...names])
      for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
        run('dpkg', ['-x', join(archives, file), join(directory, 'root')])
        rmSync(join(archives, file))
      }
    },
    dependencies(name) {
      const lines = run('apt-cache', [...options, 'depends', name]).split('\n')
      return lines.flatMap((line) => /^ {2}Depends: (\S+)$/.exec(line)?.[1] ?? [])
    },
    close() {
      for (const name of ['archives', 'lists'])
        rmSync(join(directory, name), { recursive: true, force: true })
    },
  }
}

function aptOptions(suite, directory) {
  writeFileSync(join(directory, 'status'), '')
  const source = `deb [signed-by=${KEYRING}] ${MIRROR} ${suite} main\n`
  writeFileSync(join(directory, 'sources.list'), source)
  const settings = {
    'Dir::Etc::sourcelist': join(directory, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State': directory,
    'Dir::State::status': join(directory, 'status'),
    'Dir::Cache': directory,
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': 'root',
  }
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    maxBuffer: 1 << 26,
  })
  if (status === 0) return stdout
  throw new Error(`${command} failed: ${error?.message ?? stderr.trim()}`)
}
