using System.Text.Json;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows that exceptions are described even if their members throw.</summary>
public sealed class ExceptionTextTests
{
    public static TheoryData<string> Exceptions => [.. BadException.All.Keys];

    [Theory]
    [MemberData(nameof(Exceptions))]
    public void Texts_OfAnyException_AreBoundedLikeTheirCopies(string which)
    {
        var exception = BadException.All[which]();
        _ = ExceptionText.IsPlain(exception);
        var before = GC.GetAllocatedBytesForCurrentThread();

        string[] texts = [
            ExceptionText.MessageOf(exception),
            ExceptionText.Of(exception),
            ExceptionText.DetailsOf(exception),
            ReadFailure.Describe(exception)
        ];
        var shown = new PrintableException(exception);
        var plain = ExceptionText.IsPlain(exception);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.All(texts, text => Assert.InRange(text.Length, 1, ExceptionText.MaxDetails + ExceptionText.MaxMessage));
        Assert.All(
            [texts[0], texts[1], shown.Message],
            text => Assert.True(text.Length <= ExceptionText.MaxMessage && PrintableText.IsPrintable(text)));
        Assert.All(shown.ToString().Split('\n').Skip(1), line => Assert.True(line[0] == ' ' && PrintableText.IsPrintable(line)));
        Assert.StartsWith(exception.GetType().ToString(), shown.ToString(), StringComparison.Ordinal);
        Assert.Equal(which is "foreign cancellation", plain);
    }

    [Fact]
    public void Details_OfAChain_NameEveryTypeAndWhereItWasThrown()
    {
        var exception = Assert.Throws<InvalidOperationException>(
            () => Throw("outer\nsecond line", Assert.Throws<InvalidOperationException>(() => Throw("inner", null))));

        var details = ExceptionText.DetailsOf(exception);

        var thrower = $"<{nameof(Details_OfAChain_NameEveryTypeAndWhereItWasThrown)}>g__Throw";
        Assert.Equal(2, details.Split($"   at EventBus.{nameof(ExceptionTextTests)}.{thrower}").Length - 1);
        Assert.Contains(@"System.InvalidOperationException: outer\u000Asecond line", details, StringComparison.Ordinal);
        Assert.Contains("\n ---> System.InvalidOperationException: inner\n   at ", details, StringComparison.Ordinal);

        static void Throw(string message, Exception? inner) => throw new InvalidOperationException(message, inner);
    }

    [Fact]
    public void Message_WithAPathOfTheSerializer_IsShownWithoutIt()
    {
        var json = Assert.Throws<JsonException>(
            () => JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, int>>>("""{"map":{"someone@example.com":"x"}}"""));
        var wrapped = new IOException($"The file is broken. {json.Message}", json);

        Assert.Equal("System.Text.Json.JsonException: at line 1, byte 34", ExceptionText.Of(json));
        Assert.DoesNotContain("someone", ExceptionText.Of(wrapped) + ExceptionText.DetailsOf(wrapped), StringComparison.Ordinal);
        Assert.False(ExceptionText.IsPlain(json));
        Assert.False(ExceptionText.IsPlain(wrapped));
    }

    [Fact]
    public void Logger_OfAPlainException_PassesItOnUnchanged()
    {
        var sink = new Sink();
        var plain = Assert.Throws<IOException>((Action)(() => throw new IOException(
            "It failed.",
            new AggregateException(new InvalidOperationException("inner"), new TimeoutException()))));

        BackendLog.Create(sink, "test").LogError(plain, "It failed for {Name}", "mail");

        Assert.Same(plain, sink.Exception);
        Assert.Equal(["Name", "{OriginalFormat}"], sink.Values.Select(value => value.Key));
    }

    [Fact]
    public void Logger_OfAnExceptionWithLines_PassesOnPrintableLinesAndItsType()
    {
        var sink = new Sink();
        var foreign = Assert.Throws<IOException>(
            (Action)(() => throw new IOException("outer", new InvalidOperationException("The server said: \r\nforged: line\u001b[2J"))));

        BackendLog.Create(sink, "test").LogError(foreign, "It failed for {Name}", "mail");

        Assert.Equal("It failed for mail", sink.Message);
        Assert.Equal(["ExceptionType", "Name", "{OriginalFormat}"], sink.Values.Select(value => value.Key));
        Assert.Equal("System.IO.IOException", sink.Values[0].Value);
        Assert.Equal(
            (foreign.HResult, "System.IO.IOException: outer", null),
            (sink.Exception!.HResult, sink.Exception.Message, sink.Exception.InnerException));
        Assert.Contains(
            @" ---> System.InvalidOperationException: The server said: \u000D\u000Aforged: line\u001B[2J",
            sink.Exception.ToString(),
            StringComparison.Ordinal);
        Assert.Contains(
            nameof(Logger_OfAnExceptionWithLines_PassesOnPrintableLinesAndItsType),
            sink.Exception.StackTrace,
            StringComparison.Ordinal);
    }

    private sealed class Sink : ILoggerFactory, ILogger
    {
        public Exception? Exception { get; private set; }

        public string? Message { get; private set; }

        public IReadOnlyList<KeyValuePair<string, object?>> Values { get; private set; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            (
                Exception,
                Message,
                Values) = (exception, formatter(state, exception), [.. (IEnumerable<KeyValuePair<string, object?>>)state!]);

        public void Dispose()
        {
        }
    }
}
