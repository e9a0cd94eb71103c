using System.Net.Sockets;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows what is logged with and without a stack trace while an activity fails.</summary>
public sealed class OutageEntryLoggerTests : IDisposable
{
    private readonly Entries entries = new();

    [Fact]
    public void Failing_ServerOutOfReach_IsOneLineWithTheCauseAndTheTraceAtDebug()
    {
        var cause = new IOException("The broker is away.\nat the second line", new SocketException((int)SocketError.ConnectionRefused));

        Fail(cause);

        var (level, text, exception) = entries.All[0];
        Assert.Equal((LogLevel.Error, null), (level, exception));
        Assert.Equal(
            $"The background task 'retries' failed and is repeated: The broker is away: {cause.InnerException!.Message.TrimEnd('.')}",
            text);
        Assert.Equal(LogLevel.Debug, entries.All[1].Level);
        Assert.NotNull(entries.All[1].Exception);
        Assert.Equal(2, entries.All.Count);
    }

    [Fact]
    public void Failing_MistakeInTheProgram_KeepsItsTrace()
    {
        var mistake = new InvalidOperationException("A mistake.");

        Fail(mistake);

        Assert.Same(mistake, Assert.Single(entries.All).Exception);
    }

    public void Dispose() => entries.Dispose();

    private void Fail(Exception exception)
    {
        using var factory = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(entries));
        BackendLog.Create(factory, "EventBus").Failing("retries", exception, log => log.LoopFailed("retries", exception));
    }

    private sealed class Entries : ILoggerProvider, ILogger
    {
        public List<(LogLevel Level, string Text, Exception? Exception)> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) => All.Add((logLevel, formatter(state, exception), exception));

        public void Dispose()
        {
        }
    }
}
