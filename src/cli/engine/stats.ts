/** `tsrun stats`: what running containers use, once or again and again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isLive } from '../../engine/container-status.ts'
import { type ContainerUsage, containerUsage, cpuPercent } from '../../engine/container-usage.ts'
import { type Engine, openEngine } from '../../engine/engine.ts'
import { everyContainer, type ListedContainer } from '../../engine/list-containers.ts'
import { TsrunError } from '../../errors.ts'
import { binarySize, humanSize } from '../../util/size.ts'
import { formatRows, type Row, type RowFormat } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

const FORMAT: RowFormat = {
  columns: {
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    MemPeak: 'MEM PEAK',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
    Pressure: 'WAITING CPU/MEM/IO',
  },
  table: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'MemPeak', 'BlockIO', 'PIDs', 'Pressure'],
  key: 'ID',
}
const INTERVAL_MS = 1000
const CLEAR_SCREEN = '\u001b[H\u001b[2J'

export const command: EngineCommand = {
  usage: 'stats [options] [CONTAINER...]',
  describe:
    'Show what running containers use: CPU, memory with its peak, block I/O, processes, and how much they wait (PSI).',
  options: {
    all: { type: 'flag', alias: 'a', describe: 'also containers that do not run' },
    format: { type: 'string', describe: 'table, json or a Go template', value: 'text' },
    'no-stream': { type: 'flag', describe: 'show it once' },
    'no-trunc': { type: 'flag', describe: 'do not shorten ids' },
  },
  examples: [{ does: 'Once, as JSON', line: 'stats --no-stream --format json' }],
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const wanted = positionals.map((name) => engine.containers.find(name))
  const choose = (): readonly ListedContainer[] =>
    everyContainer(engine).filter(({ record, status }) =>
      wanted.length > 0 ? wanted.includes(record.id) : options.flag('all') || isLive(status),
    )
  const format = options.string('format')
  const once = options.flag('no-stream')
  const clear = process.stdout.isTTY === true && format === undefined && !once
  let before = look(engine, choose())
  for (;;) {
    await sleep(INTERVAL_MS)
    const containers = choose()
    const after = look(engine, containers)
    const rows = containers.map((container) =>
      rowOf(container, before, after, options.flag('no-trunc')),
    )
    print(`${clear ? CLEAR_SCREEN : ''}${formatRows(rows, FORMAT, { format })}`)
    const isOver = wanted.length > 0 && after.size === 0
    if (once || isOver) return 0
    before = after
  }
}

type Usages = ReadonlyMap<string, ContainerUsage>

function look(engine: Engine, containers: readonly ListedContainer[]): Usages {
  const running = containers.filter(({ status }) => isLive(status))
  return new Map(
    running.flatMap(({ record }) => {
      const usage = usageIfThere(engine, record.id)
      return usage === undefined ? [] : [[record.id, usage] as const]
    }),
  )
}

// It may end between the two looks.
function usageIfThere(engine: Engine, id: string): ContainerUsage | undefined {
  try {
    return containerUsage(engine, id)
  } catch (error) {
    if (error instanceof TsrunError && error.kind === 'not-found') return undefined
    throw error
  }
}

function rowOf({ record }: ListedContainer, before: Usages, after: Usages, full: boolean): Row {
  const id = full ? record.id : record.id.slice(0, 12)
  const names = { Container: id, ID: id, Name: record.name }
  const now = after.get(record.id)
  if (now === undefined) {
    const none = '--'
    const memory = { MemUsage: `${none} / ${none}`, MemPerc: none, MemPeak: none }
    return { ...names, CPUPerc: none, ...memory, BlockIO: none, PIDs: none, Pressure: none }
  }
  const cpu = cpuPercent(before.get(record.id) ?? now, now)
  const { cpu: waitCpu, memory: waitMemory, io: waitIo } = now.pressure
  return {
    ...names,
    CPUPerc: percent(cpu),
    MemUsage: `${binarySize(Number(now.memory))} / ${binarySize(Number(now.memoryLimit))}`,
    MemPerc: percent((Number(now.memory) / Number(now.memoryLimit)) * 100),
    MemPeak: now.memoryPeak === undefined ? '--' : binarySize(Number(now.memoryPeak)),
    BlockIO: `${humanSize(Number(now.blockRead), 3)} / ${humanSize(Number(now.blockWritten), 3)}`,
    PIDs: Number(now.processes),
    Pressure: [waitCpu, waitMemory, waitIo].map(shareOf).join(' / '),
  }
}

function shareOf(value: number | undefined): string {
  return value === undefined ? '--' : percent(value)
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`
}
