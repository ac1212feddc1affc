/** `.ci/run`: every step of the gate, each counted; the last line is `N passed, N failed`. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setup } from './setup.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const scratch = mkdtempSync(join(tmpdir(), 'tsrun-ci-'))
// The oldest that is supported, and the lines after it; the machine's own runs everything else.
const NODES = ['20.19', '22', '24', '26']
const MINUTE = 60_000
// What test/vm ends with where it cannot run.
const SKIPPED = 77
// So many files with failures are the host's or a peer's bad moment; more are ours, and not run again.
const AGAIN = 5
const total = { passed: 0, failed: 0 }
// Tests that failed and then passed: each is a race, in the test, in a peer or in tsrun.
const unsteady = []

process.env.TSRUN_CI = '1'
// 60 ms at every start of Node 20 on machines that set it, and thousands of starts.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env

async function main() {
  await step('setup', () => setup('test'))
  await step('tsc', () => run(bin('tsc'), ['--noEmit'], 3 * MINUTE))
  await step('biome', () => run(bin('biome'), ['ci', '.'], 2 * MINUTE))
  await step('hello', () => run(process.execPath, ['.ci/hello.mjs'], 5 * MINUTE))
  await runTests('unit', 5 * MINUTE)
  // One processor of its own for ten minutes, most of them spent in waiting: beside the tests that
  // wait as much, not after them.
  const machine = runMachine(38 * MINUTE)
  await runTests('integration', 50 * MINUTE)
  // Files where the engine of the executable could make a difference, against dist/standalone/tsrun.
  await runTests('standalone', 25 * MINUTE)
  await machine
  for (const version of NODES) await step(`node ${version}`, () => tryNode(version))
}

/** Runs one step and counts it as one test. */
async function step(name, action) {
  const start = Date.now()
  try {
    await action()
    total.passed++
    console.log(`ok ${name} (${seconds(start)})`)
  } catch (error) {
    total.failed++
    console.log(`not ok ${name} (${seconds(start)}): ${error.message}`)
  }
}

/** Runs one vitest project and counts its tests. */
async function runTests(project, timeout) {
  const report = join(scratch, `${project}.json`)
  const args = ['run', '--project', project, '--reporter=dot', '--reporter=json']
  const command = [bin('vitest'), ...args, `--outputFile.json=${report}`]
  await runCounted(project, command, { timeout, reportsOf: () => [report] })
}

/** Runs the tests of test/vm in their machine; a single line where there can be none. */
async function runMachine(timeout) {
  const reports = join(scratch, 'vm')
  mkdirSync(reports)
  const command = [process.execPath, 'test/vm/main.mjs', '--report', reports, '--minutes', '25']
  const output = join(scratch, 'vm.txt')
  await runCounted('test machine', command, {
    timeout,
    reportsOf: () => readdirSync(reports).map((name) => join(reports, name)),
    output,
  })
}

/**
 * Runs a command that leaves reports of vitest, and counts their tests. None is one failure, the second time: a
 * machine may die under the tests. A few files
 * with failures run a second time, alone: a test that fails twice fails the run, one that passes then is
 * counted as passed and named as unsteady. With `output`, what it prints is kept there and shown at its end.
 */
async function runCounted(name, command, { timeout, reportsOf, output }) {
  const start = Date.now()
  const runOnce = (all) => runForReports(all, timeout - (Date.now() - start), reportsOf, output)
  let first = await runOnce(command)
  if (first.broken && Date.now() - start < timeout / 2) {
    unsteady.push(
      `${name}, all of it: it ended with status ${first.status} and without a failed test`,
    )
    first = await runOnce(command)
  }
  // The command has said why.
  if (first.status === SKIPPED) return
  const { counted } = first
  const again = first.broken ? [] : first.files
  if (again.length > 0 && again.length <= AGAIN) {
    console.log(`${name}: ${counted.names.length} failed; once more: ${again.join(' ')}`)
    const second = await runOnce([...command, ...again])
    const still = second.broken ? counted.names : second.counted.names
    unsteady.push(...counted.names.filter((test) => !still.includes(test)))
    counted.passed += Math.max(0, counted.failed - still.length)
    Object.assign(counted, { failed: still.length, names: still })
  }
  total.passed += counted.passed
  total.failed += counted.failed
  if (first.broken) total.failed++
  const outcome = first.broken || counted.failed > 0 ? 'not ok' : 'ok'
  console.log(
    `${outcome} ${name} tests (${seconds(start)}): ${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped`,
  )
  for (const test of counted.names) console.log(`  failed: ${test}`)
}

async function runForReports([command, ...args], timeout, reportsOf, output) {
  for (const report of reportsOf()) rmSync(report, { force: true })
  const stdout = output === undefined ? 'inherit' : openSync(output, 'w')
  const child = spawn(command, args, {
    cwd: root,
    env: environment,
    stdio: ['inherit', stdout, stdout === 'inherit' ? 'inherit' : stdout],
    timeout: Math.max(timeout, MINUTE),
    killSignal: 'SIGKILL',
  })
  const [status] = await once(child, 'exit')
  if (output !== undefined) {
    closeSync(stdout)
    process.stdout.write(readFileSync(output))
  }
  const reports = reportsOf().map(countReport)
  const sum = (key) => reports.reduce((all, report) => all + report[key], 0)
  const names = reports.flatMap((report) => report.names)
  const counted = {
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
    names,
  }
  // An error outside a test (a leaked rejection, a vitest that died) fails the run alone.
  const broken = status !== 0 && status !== SKIPPED && counted.failed === 0
  return { status, counted, broken, files: reports.flatMap((report) => report.files) }
}

function countReport(path) {
  let report
  try {
    report = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // vitest died or ran out of time before it could write: the caller counts that.
    return { passed: 0, failed: 0, skipped: 0, names: [], files: [] }
  }
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
  )
  const failedTests = report.testResults
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status === 'failed')
  return {
    passed: report.numPassedTests,
    failed: failedTests.length + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
    names: [...failedTests.map((test) => test.fullName), ...brokenFiles.map((file) => file.name)],
    files: report.testResults
      .filter((file) => file.status === 'failed')
      .map((file) => relative(root, file.name)),
  }
}

/** Installs another Node (npm carries it) and runs the bundle, a container and the unit tests with it. */
function tryNode(version) {
  const name = `node-linux-${process.arch}@${version}`
  const prefix = join(scratch, `node-${version}`)
  // npm needs the certificates that everything else here is started without.
  const install = ['install', '--no-audit', '--no-fund', '--prefix', prefix, name]
  run('npm', install, 4 * MINUTE, process.env)
  const node = join(prefix, 'node_modules', `node-linux-${process.arch}`, 'bin/node')
  const actual = run(node, ['--version'], MINUTE).trim()
  if (!actual.startsWith(`v${version}.`)) throw new Error(`${name} carries Node ${actual}`)
  const env = { ...environment, TSRUN_NODE: node }
  const tsrun = join(root, 'dist/tsrun')
  run(tsrun, ['--version'], MINUTE, env)
  if (run(tsrun, ['run', '--rm', 'busybox', 'echo', 'hello'], MINUTE, env) !== 'hello\n')
    throw new Error(`tsrun run under Node ${actual} printed something else`)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  run(node, [vitest, 'run', '--project', 'unit', '--reporter=dot'], 5 * MINUTE, env)
}

function run(command, args, timeout, env = environment) {
  const result = spawnSync(command, args, {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 26,
  })
  if (result.error) throw new Error(`${command}: ${result.error.message}`)
  if (result.status !== 0)
    throw new Error(
      `${command} ${args.join(' ')} ended with status ${result.status}\n${result.stdout}${result.stderr}`.trim(),
    )
  return result.stdout
}

function bin(name) {
  return join(root, 'node_modules/.bin', name)
}

function seconds(start) {
  return `${Math.round((Date.now() - start) / 1000)} s`
}

try {
  await main()
} catch (error) {
  total.failed++
  console.log(`not ok: ${error.stack}`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
for (const test of unsteady) console.log(`unsteady, run a second time: ${test}`)
process.exitCode = total.failed === 0 ? 0 : 1
console.log(`${total.passed} passed, ${total.failed} failed`)
