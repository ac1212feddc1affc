import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EngineCommand } from '../../../../src/cli/engine/command.ts'
import { parseCommand } from '../../../../src/cli/engine/parse-command.ts'
import { environmentOf } from '../../../../src/cli/engine/run-options/environment-options.ts'
import { networkWarnings } from '../../../../src/cli/engine/run-options/network-options.ts'
import { RUN_OPTIONS, runRequestOf } from '../../../../src/cli/engine/run-options.ts'
import { defaultNetwork } from '../../../../src/engine/networks/default-network.ts'

const command: EngineCommand = {
  usage: 'run',
  describe: '',
  options: RUN_OPTIONS,
  examples: [],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run: async () => 0,
}

async function parse(...args: string[]) {
  const parsed = await parseCommand(command, args)
  if ('help' in parsed) throw new Error(parsed.help)
  return parsed
}

async function request(...args: string[]) {
  const { options, positionals } = await parse(...args)
  return runRequestOf(options, positionals)
}

describe('runRequestOf()', () => {
  it('takes the default network where none is named', async () => {
    expect((await request('image')).networks).toEqual([defaultNetwork(false, process.env)])
    const forPorts = [defaultNetwork(true, process.env)]
    expect((await request('-p', '80', 'image')).networks).toEqual(forPorts)
    expect((await request('-P', 'image')).networks).toEqual(forPorts)
    expect((await request('-p', '80', '--network', 'app', 'image')).networks).toEqual(['app'])
  })

  it('warns that ports of the host network are not published', async () => {
    const { options } = await parse('-p', '80', '--network', 'host', 'image')
    expect(networkWarnings(options)).toEqual([
      '--publish has no effect: with --network host all ports of the container are ports of the host',
    ])
    expect(networkWarnings((await parse('-p', '80', 'image')).options)).toEqual([])
  })

  it('reads every kind of option', async () => {
    expect(
      await request(
        '-it',
        '--rm',
        '-m',
        '1.5g',
        '--cpus',
        '.5',
        '--memory-swap',
        '-1',
        '--pids-limit',
        '-1',
        '--entrypoint',
        '',
        '-l',
        'a=b',
        '--network=host',
        'image',
        'x',
        '-y',
      ),
    ).toMatchObject({
      image: 'image',
      command: ['x', '-y'],
      terminal: true,
      interactive: true,
      autoRemove: true,
      memory: 1.5 * 1024 ** 3,
      memorySwap: -1,
      cpus: 0.5,
      pidsLimit: -1,
      entrypoint: [],
      labels: ['a=b'],
      network: 'host',
    })
  })

  it("has docker's defaults, and no network", async () => {
    expect(await request('image')).toMatchObject({
      network: 'none',
      pull: 'missing',
      terminal: false,
      readOnly: false,
    })
  })

  it('takes a root filesystem instead of an image', async () => {
    expect(await request('--rootfs', '/srv/root', 'sh')).toMatchObject({
      image: '',
      rootfs: '/srv/root',
      command: ['sh'],
    })
  })

  it.each([
    [['--pull', 'newer'], /--pull "newer"/],
    [['--cpus', '0'], /--cpus "0"/],
    [['--memory', '1x'], /--memory "1x"/],
    [['--pids-limit', 'many'], /--pids-limit "many"/],
    [['--retry-delay', 'soon'], /--retry-delay "soon"/],
    [['--storage-opt', 'size=1g'], /--storage-opt "size=1g": quotas/],
    [['--isolation', 'hyperv'], /--isolation "hyperv": it is for Windows/],
    [['--cpu-rt-runtime', '1000'], /--cpu-rt-runtime "1000": cgroup v2/],
    [['--pod', 'web'], /--pod "web": there are no pods/],
    [['--image-volume', 'ignore'], /--image-volume "ignore": volumes of images/],
    [['--health-startup-cmd', 'x'], /--health-startup-cmd "x": .*--health-start-period/],
    [['--use-api-socket'], /--use-api-socket/],
    [['--runtime', 'runc'], /--runtime "runc"/],
  ])('refuses %j by name', async (args, message) => {
    await expect(request(...args, 'image')).rejects.toThrow(message)
  })
})

describe('environmentOf()', () => {
  it('reads files first and takes bare names from outside', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsrun-env-'))
    const file = join(folder, 'env')
    writeFileSync(file, '\ufeffA=1\r\n# no\n\n  B=2 = 3\nHOST\nGONE\n')
    const { options } = await parse('-e', 'C=4', '-e', 'HOST', '--env-file', file, 'image')
    expect(environmentOf(options, { HOST: 'h' })).toEqual([
      'A=1',
      'B=2 = 3',
      'HOST=h',
      'GONE',
      'C=4',
      'HOST=h',
    ])
    writeFileSync(file, 'two words=1\n')
    expect(() => environmentOf(options, {})).toThrow(/no valid name/)
    rmSync(folder, { recursive: true })
    expect(() => environmentOf(options, {})).toThrow(/cannot read the environment file/)
  })
})
