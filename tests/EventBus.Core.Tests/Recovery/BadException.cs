using System.Collections;
using System.Text.Json;

namespace EventBus;

/// <summary>An exception whose members throw or return what the test chooses.</summary>
internal sealed class BadException : Exception
{
    // A text that an application may read from a socket. Created once, so that only copies of the bus are measured.
    private static readonly Lazy<string> Huge = new(() => new string('x', 50 * 1024 * 1024));

    private readonly Func<string?> text;
    private readonly Func<string?> whole;
    private readonly Func<string?> trace;

    private BadException(Func<string?>? text = null, Func<string?>? whole = null, Func<string?>? trace = null, Exception? inner = null)
        : base("bad", inner) =>
            (this.text, this.whole, this.trace) = (text ?? (() => "bad"), whole ?? (() => "bad as text"), trace ?? (() => base.StackTrace));

    public static IReadOnlyDictionary<string, Func<Exception>> All { get; } = new Dictionary<string, Func<Exception>>
    {
        ["no message"] = () => new BadException(() => throw new NullReferenceException()),
        ["null message"] = () => new BadException(() => null),
        ["huge message"] = () => new BadException(() => Huge.Value),
        ["message of many lines"] = () => new BadException(() => "first\r\nforged: second\u001b[2J"),
        ["message beyond the stack"] = () => new BadException(() => throw new InsufficientExecutionStackException()),
        ["no text"] = () => new BadException(whole: () => throw new InvalidOperationException()),
        ["null text"] = () => new BadException(whole: () => null),
        ["huge text"] = () => new BadException(whole: () => Huge.Value),
        ["text of many lines"] = () => new BadException(whole: () => "first\nforged: second"),
        ["no stack trace"] = () => new BadException(trace: () => throw new InvalidOperationException()),
        ["null stack trace"] = () => new BadException(trace: () => null),
        ["huge stack trace"] = () => new BadException(trace: () => Huge.Value),
        ["forged stack trace"] = () => new BadException(trace: () => "   at First()\nforged: second"),
        ["bad inner"] = () => new InvalidOperationException("outer", new BadException(() => throw new NullReferenceException())),
        ["bad in an aggregate"] = () => new AggregateException(
            new BadException(() => throw new NullReferenceException()),
            new BadException(() => Huge.Value)),
        ["deep chain"] = () => Nest(10_000, inner => new InvalidOperationException("nested", inner)),
        ["deep aggregate"] = () => Nest(10_000, inner => new AggregateException(inner)),
        ["wide aggregate"] = () => new AggregateException(Enumerable.Repeat(new BadException(), 100_000)),
        ["foreign cancellation"] = () => new OperationCanceledException(new CancellationToken(true)),
        ["JSON"] = () => new JsonException("The value 'secret' at Path: $.map['secret']", "$.map['secret']", 3, 4),
    };

    public override string Message => text()!;

    public override string? StackTrace => trace();

    public override IDictionary Data => throw new InvalidOperationException();

    public override string? HelpLink => throw new InvalidOperationException();

    public override string? Source => throw new InvalidOperationException();

    public override Exception GetBaseException() => throw new InvalidOperationException();

    public override bool Equals(object? obj) => throw new InvalidOperationException();

    public override int GetHashCode() => throw new InvalidOperationException();

    public override string ToString() => whole()!;

    private static Exception Nest(int depth, Func<Exception, Exception> wrap)
    {
        Exception nested = new BadException(() => throw new NullReferenceException());
        for (var i = 0; i < depth; i++)
        {
            nested = wrap(nested);
        }

        return nested;
    }
}
