using EventBus.Conformance;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

/// <summary>Records the log of the transports under test.</summary>
internal sealed class TestLog : ILogger
{
    private readonly Lock gate = new();
    private readonly List<string> lines = [];
    private TaskCompletionSource next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The entries so far.</summary>
    public string[] Lines
    {
        get
        {
            lock (gate)
            {
                return [.. lines];
            }
        }
    }

    /// <summary>Waits for a line that contains all given texts.</summary>
    public async Task<string> LineAsync(params string[] texts)
    {
        using var limit = new CancellationTokenSource(TestRedis.Patience, TimeProvider.System);
        while (true)
        {
            Task added;
            lock (gate)
            {
                if (lines.Find(line => texts.All(text => line.Contains(text, StringComparison.Ordinal))) is { } found)
                {
                    return found;
                }

                added = next.Task;
            }

            await added.WaitAsync(limit.Token);
        }
    }

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        Canary.Log.Log(logLevel, eventId, state, exception, formatter);
        lock (gate)
        {
            lines.Add(formatter(state, exception));
            next.SetResult();
            next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;
}
