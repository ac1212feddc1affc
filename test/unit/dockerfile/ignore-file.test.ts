import { describe, expect, it } from 'vitest'
import { filterByPatterns, parseIgnoreFile } from '../../../src/dockerfile/ignore-file.ts'

const excludes = (lines: readonly string[], path: string): boolean =>
  parseIgnoreFile(lines.join('\n'), '.dockerignore').excludes(path)

describe('parseIgnoreFile()', () => {
  it.each([
    ['**', 'dir/file', true],
    ['**/', 'file', true],
    ['**/**', 'dir/file', true],
    ['dir/**', 'dir/dir2/file', true],
    ['dir/**', 'dir', false],
    ['**/dir', 'dir/file', true],
    ['**/dir2/*', 'dir/dir2/file', true],
    ['**file', 'dir/my-file', true],
    ['**/file', 'dir/my-file', false],
    ['**file*', 'my-file', false],
    ['**/file*.txt', 'dir/dir/file.txt', true],
    ['**/**/*.txt2', 'dir/dir/file.txt', false],
    ['**/*.txt', 'file.txt', true],
    ['a**/*.txt', 'a/dir/dir/file.txt', true],
    ['a/*.txt', 'a/dir/file.txt', false],
    ['a/*.txt**', 'a/file.txt', true],
    ['a[b-d]e', 'ace', true],
    ['a[b-d]e', 'aae', false],
    ['a[^b-d]e', 'aze', true],
    ['a[\\]]e', 'a]e', true],
    ['abc.def', 'abcZdef', false],
    ['abc?def', 'abcZdef', true],
    ['abc?def', 'abc/def', false],
    ['a?b', 'a☺b', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['a(b)c|+$', 'a(b)c|+$', true],
    ['/docs', 'docs/a', true],
    ['./docs/', 'docs/a', true],
    ['docs/../src', 'src', true],
    ['  docs  ', 'docs', true],
    ['docs\r', 'docs', true],
    ['#docs', '#docs', false],
    [' #docs', '#docs', true],
    ['\ufeff# docs', 'docs', false],
    ['.', 'docs', false],
    ['/', 'docs', false],
    ['../docs', 'docs', false],
    ['a*', 'a\nb', true],
  ])('takes %j for %j as %j', (pattern, path, expected) => {
    expect(excludes([pattern], path)).toBe(expected)
  })

  it('lets the last line that matches decide', () => {
    expect(excludes(['*.md', '!README.md'], 'README.md')).toBe(false)
    expect(excludes(['*.md', '!README*.md', 'README-secret.md'], 'README-secret.md')).toBe(true)
    expect(excludes(['!a', '*'], 'a')).toBe(true)
    expect(excludes(['**', '!util/web'], 'util/web/foo')).toBe(false)
    expect(excludes(['**', '!util/web', 'util/web/foo'], 'util/web/foo')).toBe(true)
    expect(excludes(['docs', '! docs/README.md'], 'docs/README.md')).toBe(false)
  })

  it('knows where a folder that is left out may have something that is not', () => {
    const filter = parseIgnoreFile('**\n!src/**/*.ts\n!docs/README.md\n', '.dockerignore')
    expect(filter.mayKeepBelow('src/a/b')).toBe(true)
    expect(filter.mayKeepBelow('docs')).toBe(true)
    expect(filter.mayKeepBelow('docs/a')).toBe(false)
    expect(filter.mayKeepBelow('node_modules')).toBe(false)
  })

  it.each([
    ['!', '"!" needs a pattern'],
    ['a[', 'is no pattern: its "[" has no "]"'],
    ['a[]', 'is no pattern'],
    ['a[a-]', 'is no pattern'],
    ['a[-z]', 'is no pattern'],
    ['a[a', 'is no pattern'],
    ['a[\\', 'is no pattern'],
    ['a\\', 'is no pattern: it ends with a backslash'],
  ])('names the line of %j', (line, problem) => {
    expect(() => parseIgnoreFile(`ok\n${line}\n`, 'x/.dockerignore')).toThrow(
      `cannot use "x/.dockerignore" line 2: `,
    )
    expect(() => parseIgnoreFile(line, 'x')).toThrow(problem)
  })

  it('takes patterns that are made to be slow in their stride', () => {
    const path = `${'a'.repeat(4000)}b`
    for (const part of ['*a', '**/a', '**a', '?*', 'a*', '[a-z]*', '**/*'])
      expect(excludes([`${part.repeat(300)}c`], path)).toBe(false)
    expect(excludes([`${'a*'.repeat(500)}b`], path)).toBe(true)
  })
})

describe('filterByPatterns()', () => {
  it('names the option of a bad pattern', () => {
    expect(() => filterByPatterns(['a['], '--exclude')).toThrow('cannot use --exclude: "a[" is no')
  })
})
