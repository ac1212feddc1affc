/** Every clause of the OCI runtime specification has a test that names it, or a reason why not. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseSource } from '../support/architecture/source-file.ts'
import { SPEC_CLAUSES, UNTESTED_CLAUSES } from '../support/spec-clauses.ts'

const TESTS = fileURLToPath(new URL('..', import.meta.url))
const CLAUSE = /[a-z-]+\.md#[a-z-]+\/\d+/g

// Texts of the syntax tree: what stands in a comment is no title.
function namedClauses(path: string): readonly string[] {
  const source = readFileSync(path, 'utf8')
  if (!source.includes('.md#')) return []
  const texts = parseSource(path, source).nodes.flatMap(({ type, value }) =>
    type === 'Literal' && typeof value === 'string' ? [value] : [],
  )
  return texts.flatMap((text) => text.match(CLAUSE) ?? [])
}

const named = new Set(
  readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.endsWith('spec-clauses.test.ts'))
    .flatMap((name) => namedClauses(`${TESTS}${name}`)),
)

describe('the clauses of the specification', () => {
  it('are named by a test, or have the reason why they cannot be tested here', () => {
    const missing = Object.keys(SPEC_CLAUSES).filter((id) => !named.has(id))
    expect(missing.sort()).toEqual(Object.keys(UNTESTED_CLAUSES).sort())
  })

  it('that tests name are on the list', () => {
    expect([...named].filter((id) => !(id in SPEC_CLAUSES))).toEqual([])
  })
})
