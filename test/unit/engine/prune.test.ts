import { describe, expect, it } from 'vitest'
import { parsePruneFilters, passes } from '../../../src/engine/prune.ts'

const parse = (...texts: string[]) => parsePruneFilters(texts, (text) => text)
const thing = { created: '2026-01-02T00:00:00Z', labels: { app: 'shop', empty: '' } }

describe('prune filters', () => {
  it.each([
    [[], true],
    [['until=2026-01-03T00:00:00Z'], true],
    [['until=2026-01-02T00:00:00Z'], false],
    [['label=app'], true],
    [['label=app=shop'], true],
    [['label=app=other'], false],
    [['label=app', 'label=missing'], false],
    [['label!=missing'], true],
    [['label!=app'], false],
    [['label!=app=other'], true],
    [['label=constructor'], false],
  ])('%j lets it through: %s', (texts, expected) => {
    expect(passes(parse(...texts), thing)).toBe(expected)
  })

  it.each(['until', 'name=x', '', '=x', 'until='])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow(/cannot use the filter/)
  })
})
