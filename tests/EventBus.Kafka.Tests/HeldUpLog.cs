using EventBus.Conformance;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>A log that holds up the thread that writes a text, until <see cref="Continue"/> is called.</summary>
internal sealed class HeldUpLog(string text) : ILoggerProvider, ILogger
{
    private readonly TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim free = new();

    /// <summary>Completes when a thread is held up.</summary>
    public Task Reached => reached.Task;

    public void Continue() => free.Set();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        Canary.Log.Log(logLevel, eventId, state, exception, formatter);
        if (formatter(state, exception).Contains(text, StringComparison.Ordinal))
        {
            reached.TrySetResult();
            free.Wait(2 * TestBroker.Patience);
        }
    }

    // A client that is still closing may log.
    public void Dispose() => free.Set();
}
