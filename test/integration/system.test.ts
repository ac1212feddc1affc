/** info, version, df, prune, reset, doctor, completion and man, as people and scripts call them. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'

describe.skipIf(missing('root', 'cgroup2'))('the system', () => {
  const engine = new TestEngine()
  beforeAll(async () => {
    await engine.loadBusybox()
    engine.succeed([
      'run',
      '--name',
      'done',
      '-l',
      'app=shop',
      'busybox',
      'sh',
      '-c',
      'echo x > /f',
    ])
  })
  afterAll(() => engine[Symbol.dispose]())

  const json = (args: readonly string[]) =>
    engine
      .succeed(args)
      .split('\n')
      .map((line) => JSON.parse(line))

  it('is described in the words of docker', () => {
    const [version] = json(['version', '--format', 'json'])
    expect(Object.keys(version)).toEqual(['Client', 'Server'])
    expect(engine.succeed(['version', '--format', '{{.Server.Version}}'])).toBe(
      version.Client.Version,
    )
    const [info] = json(['info', '--format', 'json'])
    expect(info).toMatchObject({
      Containers: 1,
      ContainersRunning: 0,
      Images: 1,
      Driver: 'overlay',
    })
    expect(engine.succeed(['info', '-f', '{{.DockerRootDir}}'])).toBe(engine.dataRoot)
    expect(engine.succeed(['info'])).toMatch(/^Containers: 1\n Running: 0\n/)
  })

  it('shows what takes space and what can be had back', () => {
    const rows = json(['system', 'df', '--format', 'json'])
    expect(rows.find(({ Type }) => Type === 'Images')).toMatchObject({
      TotalCount: '1',
      Active: '1',
      Reclaimable: '0B (0%)',
    })
    expect(rows.find(({ Type }) => Type === 'Containers')).toMatchObject({
      TotalCount: '1',
      Active: '0',
    })
    expect(engine.succeed(['system', 'df'])).toMatch(
      /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages /,
    )
    const [verbose] = json(['system', 'df', '-v', '--format', 'json'])
    expect(verbose.Images).toEqual([
      expect.objectContaining({ Repository: 'busybox', Containers: '1' }),
    ])
    expect(verbose.Containers).toEqual([
      expect.objectContaining({ Names: 'done', State: 'exited' }),
    ])
    expect(engine.succeed(['system', 'df', '-v'])).toContain('Containers space usage:')
  })

  it('asks before it prunes, and takes only a yes', () => {
    for (const input of ['n\n', '\n', 'yup\n']) {
      const { status, stdout } = engine.run(['system', 'prune'], { input })
      expect({ status, asked: stdout.includes('[y/N]') }).toEqual({ status: 0, asked: true })
    }
    const { status, stderr } = engine.run(['system', 'prune'], { input: '' })
    expect(status).toBe(125)
    expect(stderr).toContain('hint: give -f')
    expect(engine.succeed(['ps', '-aq'])).not.toBe('')
  })

  it('prunes by filter, then all that nobody uses', () => {
    expect(engine.succeed(['system', 'prune', '-f', '--filter', 'until=24h'])).toBe(
      'Total reclaimed space: 0B',
    )
    expect(engine.succeed(['system', 'prune', '-f', '--filter', 'label!=app'])).toBe(
      'Total reclaimed space: 0B',
    )
    expect(engine.run(['system', 'prune', '-f', '--filter', 'colour=red']).stderr).toContain(
      'the filters are until=TIME',
    )
    const id = engine.succeed(['inspect', '-f', '{{.Id}}', 'done'])
    const running = engine.succeed(['run', '-d', 'busybox', 'sleep', '1000'])
    const pruned = engine.run(['system', 'prune', '-a'], { input: 'y\n' }).stdout
    expect(pruned).toContain(`Deleted Containers:\n${id}\n`)
    expect(pruned).not.toContain('Deleted Images')
    engine.succeed(['rm', '-f', running])
    engine.succeed(['run', '-v', '/data', 'busybox', 'sh', '-c', 'echo x > /data/f'])
    expect(json(['system', 'df', '--format', 'json'])).toContainEqual(
      expect.objectContaining({ Type: 'Local Volumes', TotalCount: '1', Active: '1' }),
    )
    const both = ['system', 'prune', '-f', '--volumes', '--filter', 'until=1h']
    expect(engine.run(both).stderr).toContain('volumes are not chosen by age')
    expect(engine.succeed(['system', 'prune', '-f', '--volumes'])).toMatch(
      /Deleted Volumes:\n\w{64}/,
    )
    expect(engine.succeed(['system', 'prune', '-af'])).toMatch(
      /^Deleted Images:\nuntagged: busybox:latest\ndeleted: sha256:\w{64}\n[\s\S]*Total reclaimed space: 3\.\d+MB$/,
    )
    expect(engine.succeed(['images', '-q'])).toBe('')
    expect(engine.succeed(['system', 'check'])).toContain('Nothing found')
  })

  it('is reset with all that runs', async () => {
    await engine.loadBusybox()
    engine.succeed(['run', '-d', 'busybox', 'sleep', '1000'])
    engine.succeed(['volume', 'create', 'kept'])
    engine.succeed(['run', '--rm', '--network', 'bridge', 'busybox', 'true'])
    const { interface: bridge } = JSON.parse(
      readFileSync(join(engine.dataRoot, 'networks/bridge/network.json'), 'utf8'),
    )
    expect(existsSync(`/sys/class/net/${bridge}`)).toBe(true)
    engine.run(['system', 'reset'], { input: 'n\n' })
    expect(engine.succeed(['ps', '-q'])).not.toBe('')
    engine.succeed(['system', 'reset', '-f'])
    expect(await engine.settled()).toEqual([])
    expect(existsSync(join(engine.dataRoot, 'images'))).toBe(false)
    expect(existsSync(`/sys/class/net/${bridge}`)).toBe(false)
    expect(engine.succeed(['ps', '-aq'])).toBe('')
    expect(engine.succeed(['volume', 'ls', '-q'])).toBe('')
  })

  it('says how long each phase of a start took', async () => {
    await engine.loadBusybox()
    const { stdout, stderr } = engine.run(['run', '--rm', '--timings', 'busybox', 'echo', 'hi'])
    expect(stdout).toBe('hi\n')
    const phases = ['load', 'image', 'snapshot', 'spec', 'create', 'start', 'total']
    expect(stderr).toMatch(
      new RegExp(`^timings: ${phases.map((phase) => `${phase} \\d+\\.\\d ms`).join(', ')}\n$`),
    )
  })

  it('is examined by the doctor, in lines and in JSON', () => {
    const { status, stdout } = engine.run(['doctor', '--json'])
    const verdicts: { check: string; status: string; remedy?: string }[] = JSON.parse(stdout)
    expect(status).toBe(verdicts.some((verdict) => verdict.status === 'fail') ? 1 : 0)
    for (const verdict of verdicts)
      expect(verdict.remedy === undefined).toBe(verdict.status === 'ok')
    expect(verdicts.find(({ check }) => check === 'kernel')).toMatchObject({ status: 'ok' })
    const coloured = engine.run(['doctor'], { env: { ...process.env, CLICOLOR_FORCE: '1' } }).stdout
    expect(coloured).toContain('\u001b[32mok')
    expect(engine.run(['doctor']).stdout).not.toContain('\u001b')
  })
})

describe('completion', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-completion-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const script = (shell: string): string => {
    const path = join(directory, shell)
    writeFileSync(path, spawnSync(TSRUN, ['completion', shell], { encoding: 'utf8' }).stdout)
    return path
  }
  // What `tsrun internal-names containers` would print.
  const NAMES = 'if [ "$1 $2" = "internal-names containers" ]; then printf "web\\nwords\\n"; fi'

  it.each([
    ['ru', ['run']],
    ['system ch', ['check']],
    ['run --memory-res', ['--memory-reservation']],
    ['run --pull ne', ['never']],
    ['--debug stop w', ['web', 'words']],
    ['inspect we', ['web']],
  ])('of bash completes "tsrun %s"', (line, expected) => {
    const words = ['tsrun', ...line.split(' ')]
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `tsrun() { ${NAMES}; }; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tsrun; printf '%s\\n' "\${COMPREPLY[@]}"`,
        script('bash'),
        ...words,
      ],
      { encoding: 'utf8' },
    )
    expect({ words: stdout.split('\n').filter(Boolean), stderr }).toEqual({
      words: expected,
      stderr: '',
    })
  })

  it('of fish completes commands, options, values and names', () => {
    const path = script('fish')
    const fish = (line: string): string[] =>
      spawnSync(
        'fish',
        [
          '-N',
          '-c',
          `function tsrun; ${NAMES.replace(/if (.*); then (.*); fi/, 'if test "$argv" = "internal-names containers"; $2; end')}; end; source ${path}; complete -C '${line}'`,
        ],
        {
          encoding: 'utf8',
        },
      )
        .stdout.split('\n')
        .map((text) => text.split('\t')[0] ?? '')
        .filter(Boolean)
    expect(fish('tsrun ru')).toEqual(['run'])
    expect(fish('tsrun system ch')).toEqual(['check'])
    expect(fish('tsrun run --memory-res')).toEqual(['--memory-reservation'])
    expect(fish('tsrun run --pull ne')).toEqual(['never'])
    expect(fish('tsrun stop w')).toEqual(['web', 'words'])
  })

  it('of zsh is a script that zsh reads', () => {
    const { status, stderr } = spawnSync('zsh', ['-n', script('zsh')], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('is refused for another shell', () => {
    const { status, stderr } = spawnSync(TSRUN, ['completion', 'tcsh'], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: 'tsrun: cannot complete in "tcsh": there are scripts for bash, zsh, fish\n',
    })
  })
})

describe('man', () => {
  it('writes pages that groff reads without a warning', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsrun-man-'))
    try {
      expect(spawnSync(TSRUN, ['man', '-o', folder]).status).toBe(0)
      const pages = readdirSync(folder)
      expect(pages).toContain('tsrun.1')
      expect(pages).toContain('tsrun-system-check.1')
      const { status, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z', ...pages], {
        cwd: folder,
        encoding: 'utf8',
      })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
