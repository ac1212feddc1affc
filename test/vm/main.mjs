/**
 * `npm run test:vm`: makes the test machine where it is not there yet, boots it with this working tree and
 * runs the tests of test/vm/suite in it. The exit status is theirs; 77 is "cannot run here", with one line why.
 *
 *   npm run test:vm -- [--machine NAME] [--exec COMMAND] [--report DIRECTORY] [--minutes N]
 *     [FILES AND OPTIONS OF VITEST]
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { boot } from './boot.mjs'
import { CannotRun } from './cannot-run.mjs'
import { prepareImage } from './image.mjs'
import { MACHINES, machinesFor } from './machines.mjs'
import { checkContained } from './run-contained.mjs'

const REPORT = 'report.json'
const SKIPPED = 77
const SUITE_MINUTES = 20

async function main() {
  const options = parse(process.argv.slice(2))
  const { signal } = abortOnSignals()
  checkContained()
  // Before the image, which takes minutes: without its kernel a machine cannot run.
  for (const machine of options.machines) await machine.prepare({ log: console.log, signal })
  const image = await prepareImage({ log: console.log, signal })
  // The machines share the time.
  const end = Date.now() + options.minutes * 60_000
  let worst = 0
  for (const machine of options.machines) {
    if (Date.now() > end) throw new Error(`there was no time left for ${machine.name}`)
    const status = await runIn(machine, { ...options, image, end, signal })
    worst ||= status
  }
  return worst
}

async function runIn(machine, { image, words, command, end, signal, report }) {
  const prepared = await machine.prepare({ log: console.log, signal })
  return boot({
    job: command ?? vitestJob(machine, words),
    commandOf: (control) => machine.command({ ...machine, ...prepared, image, control }),
    end,
    signal,
    collect: (control) => collectReport(control, report, machine),
  })
}

function parse(words) {
  const options = { words: [], minutes: SUITE_MINUTES }
  const takes = {
    '--exec': 'command',
    '--report': 'report',
    '--minutes': 'minutes',
    '--machine': 'machine',
  }
  for (let i = 0; i < words.length; i++) {
    const key = takes[words[i]]
    if (key === undefined) options.words.push(words[i])
    else if (i + 1 === words.length) throw new Error(`${words[i]} takes a value`)
    else options[key] = words[++i]
  }
  if (!(options.minutes > 0)) throw new Error('--minutes takes a number of minutes')
  return { ...options, machines: chooseMachines(options) }
}

function chooseMachines({ machine, command, words }) {
  if (machine === undefined) return command === undefined ? machinesFor(words) : [MACHINES[0]]
  const chosen = MACHINES.filter(({ name }) => name === machine)
  const names = MACHINES.map(({ name }) => name).join(', ')
  if (chosen.length === 0) throw new Error(`--machine takes one of ${names}, not ${machine}`)
  return chosen
}

function vitestJob({ name, suffix = '' }, words) {
  const environment = {
    TSRUN_TEST_MACHINE: name,
    TSRUN_TEST_SUFFIX: suffix,
    TSRUN_CI: process.env.TSRUN_CI ?? '',
    [process.stdout.isTTY ? 'FORCE_COLOR' : 'NO_COLOR']: '1',
  }
  const reports = [
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=/run/tsrun-vm/${REPORT}`,
  ]
  const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', '--project', 'vm']
  const variables = Object.entries(environment).map(([key, value]) => `${key}=${value}`)
  return ['exec', 'env', ...variables, ...vitest, ...reports, ...words].map(shellWord).join(' ')
}

function shellWord(word) {
  return `'${word.replaceAll("'", "'\\''")}'`
}

function collectReport(control, directory, { name }) {
  const report = join(control, REPORT)
  if (directory === undefined || !existsSync(report)) return
  mkdirSync(directory, { recursive: true })
  copyFileSync(report, join(directory, `${name}.json`))
}

function abortOnSignals() {
  const controller = new AbortController()
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }
  for (const [name, number] of Object.entries(numbers))
    process.once(name, () => {
      process.exitCode = 128 + number
      controller.abort(new Error(`ended by ${name}`))
    })
  return controller
}

try {
  const status = await main()
  process.exitCode = status
} catch (error) {
  const isSkip = error instanceof CannotRun
  if (isSkip) console.log(`test machine: skipped: ${error.message}`)
  else console.error(`test machine: ${error.message}`)
  process.exitCode ??= isSkip ? SKIPPED : 1
}
