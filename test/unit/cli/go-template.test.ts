import { describe, expect, it } from 'vitest'
import { parseTemplate } from '../../../src/cli/go-template.ts'

const data = {
  ID: '0123456789abcdef',
  Names: 'web',
  State: { Status: 'running', Running: true, ExitCode: 0 },
  Labels: new Map([
    ['b', '2'],
    ['a', '1'],
  ]),
  Ports: [80, 443],
  Empty: [],
  Label: (name: unknown) => `label ${name}`,
}

const render = (text: string) => parseTemplate(text).render(data)

describe('parseTemplate()', () => {
  it.each([
    ['{{.ID}}', '0123456789abcdef'],
    ['{{ .State.Status }}/{{.State.ExitCode}}', 'running/0'],
    ['{{json .State}}', '{"Status":"running","Running":true,"ExitCode":0}'],
    ['{{json .Labels}}', '{"b":"2","a":"1"}'],
    ['{{.Labels.a}} {{.Labels.none}} {{index .Labels "b"}}', '1 <no value> 2'],
    ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
    ['{{if not .State.Running}}up{{else if eq .Names "web"}}web{{else}}down{{end}}', 'web'],
    ['{{range .Ports}}<{{.}}>{{end}}', '<80><443>'],
    ['{{range $i, $p := .Ports}}{{$i}}={{$p}} {{end}}', '0=80 1=443 '],
    ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
    ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
    ['{{with .State}}{{.Status}} {{$.Names}}{{end}}', 'running web'],
    ['{{$n := .Names}}{{$n | upper}}', 'WEB'],
    ['{{join .Ports ","}} {{len .Ports}} {{.Ports}}', '80,443 2 [80 443]'],
    ['{{slice .ID 0 4}} {{truncate .ID 2}}', '0123 01'],
    ['{{printf "%-5s|%q" .Names .Names}}', 'web  |"web"'],
    ['{{println .Names}}', 'web\n'],
    ['{{.Label "x"}}', 'label x'],
    ['{{(index .Ports 1)}}', '443'],
    ['a {{- "b" -}} c', 'abc'],
    ['{{/* a comment */}}x{{"}}"}}', 'x}}'],
    ['{{index .Ports 0 | json}}', '80'],
  ])('renders %s', (text, expected) => {
    expect(render(text)).toBe(expected)
  })

  it.each([
    ['{{.Nope}}', /no field "Nope"/],
    ['{{nope .ID}}', /no function "nope"/],
    ['{{.ID', /not closed/],
    ['{{if .ID}}x', /end/],
    ['x{{end}}', /no beginning/],
    ['{{$x}}', /\$x is not defined/],
    ['{{.ID ~}}', /not understood/],
  ])('refuses %s', (text, message) => {
    expect(() => render(text)).toThrow(message)
  })
})
