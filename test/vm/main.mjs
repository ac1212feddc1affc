/**
 * `npm run test:vm`: makes the test machine where it is not there yet, boots it with this working tree and
 * runs the tests of test/vm/suite in it. The exit status is theirs; 77 is "cannot run here", with one line why.
 *
 *   npm run test:vm -- [--exec COMMAND] [--report DIRECTORY] [--minutes N] [FILES AND OPTIONS OF VITEST]
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { boot } from './boot.mjs'
import { CannotRun } from './cannot-run.mjs'
import { prepareImage } from './image.mjs'
import { prepareKernel } from './kernel.mjs'
import { checkContained } from './run-contained.mjs'
import { userModeLinux } from './user-mode-linux.mjs'

const SKIPPED = 77
const IMAGE_MINUTES = 10
const SUITE_MINUTES = 20

async function main() {
  const options = parse(process.argv.slice(2))
  const { signal } = abortOnSignals()
  checkContained()
  const kernel = prepareKernel()
  const image = await prepareImage({ log: console.log, minutes: IMAGE_MINUTES, signal })
  return boot({
    job: options.command ?? vitestJob(options.rest),
    commandOf: (control) => userModeLinux({ kernel, image, control, cpus: 1 }),
    minutes: options.minutes,
    signal,
    collect: (control) => collectReport(control, options.report),
  })
}

function parse(words) {
  const options = { rest: [], minutes: SUITE_MINUTES }
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--exec') options.command = words[++i]
    else if (words[i] === '--report') options.report = words[++i]
    else if (words[i] === '--minutes') options.minutes = Number(words[++i])
    else options.rest.push(words[i])
  }
  if (!(options.minutes > 0)) throw new Error('--minutes takes a number of minutes')
  return options
}

function vitestJob(words) {
  const color = process.stdout.isTTY ? 'FORCE_COLOR' : 'NO_COLOR'
  const reports = '--reporter=default --reporter=json --outputFile.json=/run/tsrun-vm/report.json'
  const given = words.map((word) => `'${word.replaceAll("'", "'\\\\''")}'`).join(' ')
  return `export TSRUN_TEST_MACHINE=uml ${color}=1 TSRUN_CI='${process.env.TSRUN_CI ?? ''}'
exec node node_modules/vitest/vitest.mjs run --project vm ${reports} ${given}
`
}

function collectReport(control, directory) {
  const report = join(control, 'report.json')
  if (directory === undefined || !existsSync(report)) return
  mkdirSync(directory, { recursive: true })
  copyFileSync(report, join(directory, 'uml.json'))
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
