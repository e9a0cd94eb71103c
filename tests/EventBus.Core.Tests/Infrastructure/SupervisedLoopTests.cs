using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

public sealed class SupervisedLoopTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ObservedTime time = new();
    private readonly List<TimeSpan> delays = [];
    private readonly CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Token);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => stop.Dispose();

    [Fact]
    public async Task Loop_ThatFails_RunsAgainAfterAtMostTwoSeconds()
    {
        var (attempts, atOnce) = (0, 0);
        var supervised = Create();
        var running = supervised.RunAsync(
            async _ =>
            {
                Assert.Equal(1, Interlocked.Increment(ref atOnce));
                attempts++;
                await Task.Yield();
                Interlocked.Decrement(ref atOnce);
                throw new IOException("no server");
            },
            stop.Token);
        for (var i = 1; i <= 20; i++)
        {
            await NextWaitAsync();
            Assert.Equal(i, attempts);
            time.Advance(TimeSpan.FromSeconds(2));
        }

        await StopAsync(running);
        Assert.All(delays, delay => Assert.InRange(delay, TimeSpan.FromMilliseconds(25), TimeSpan.FromSeconds(2)));
        Assert.All(delays.Skip(7), delay => Assert.InRange(delay, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public async Task Loop_ThatFailsRightAfterEachStart_KeepsItsBackoffUntilItWorksForThreeSeconds()
    {
        var attempts = 0;
        var supervised = Create();
        var running = supervised.RunAsync(
            _ =>
            {
                supervised.Succeeded();
                time.Advance(++attempts == 11 ? TimeSpan.FromSeconds(4) : TimeSpan.FromSeconds(1));

                // A later report does not restart the three seconds.
                supervised.Succeeded();
                throw new IOException("lost again");
            },
            stop.Token);
        for (var i = 0; i < 11; i++)
        {
            await NextWaitAsync();
            time.Advance(TimeSpan.FromSeconds(2));
        }

        await StopAsync(running);
        Assert.InRange(delays[9], TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        Assert.InRange(delays[10], TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public async Task LastError_OfALoop_LastsUntilItWorksAgain()
    {
        var works = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var attempts = 0;
        var supervised = Create();
        var running = supervised.RunAsync(
            async stopped =>
            {
                if (++attempts == 1)
                {
                    throw new IOException("no server");
                }

                supervised.Succeeded();
                works.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopped);
            },
            stop.Token);
        await NextWaitAsync();
        await supervised.Failed.WaitAsync(Patience, TimeProvider.System, Token);

        Assert.Equal("no server", supervised.LastError?.Message);
        Assert.Equal(1, supervised.Failures);
        time.Advance(TimeSpan.FromSeconds(2));
        await works.Task.WaitAsync(Patience, TimeProvider.System, Token);
        Assert.Null(supervised.LastError);

        await StopAsync(running);
    }

    [Fact]
    public async Task Loop_ThatReturns_Ends()
    {
        var supervised = Create();

        await supervised.RunAsync(_ => Task.CompletedTask, stop.Token).WaitAsync(Patience, TimeProvider.System, Token);

        Assert.Null(supervised.LastError);
        Assert.False(supervised.Failed.IsCompleted);
    }

    [Fact]
    public async Task Loop_ThatFailsBecauseItIsStopped_EndsWithoutAnError()
    {
        var supervised = Create();

        await supervised.RunAsync(
            async _ =>
            {
                await stop.CancelAsync();
                throw new IOException("closed");
            },
            stop.Token).WaitAsync(Patience, TimeProvider.System, Token);

        Assert.Null(supervised.LastError);
        Assert.Empty(delays);
    }

    [Fact]
    public async Task Failure_ThatIsReportedElsewhere_IsLoggedAtTheLevelDebugOnly()
    {
        var logs = new Entries();
        var supervised = new SupervisedLoop(
            "reading",
            time,
            BackendLog.Create(logs, "test", time),
            (_, delay, _) => delays.Add(delay))
        { IsReportedElsewhere = error => error is TimeoutException };
        var running = supervised.RunAsync(_ => throw new TimeoutException("no answer"), stop.Token);
        await NextWaitAsync();
        await StopAsync(running);

        Assert.Empty(delays);
        Assert.Null(supervised.LastError);
        Assert.Equal(1, supervised.Failures);
        Assert.Contains(
            (LogLevel.Debug, "reading"),
            logs.All.Select(entry => (entry.Level, entry.Text.Contains("reading", StringComparison.Ordinal) ? "reading" : entry.Text)));
    }

    [Fact]
    public async Task Logger_ThatThrows_DoesNotEndTheLoop()
    {
        var attempts = 0;
        var supervised = new SupervisedLoop(
            "reading",
            time,
            NullLogger.Instance,
            (_, _, _) => throw new InvalidOperationException("no disk"));
        var running = supervised.RunAsync(
            _ =>
            {
                attempts++;
                throw new IOException("no server");
            },
            stop.Token);
        await NextWaitAsync();
        time.Advance(TimeSpan.FromSeconds(2));
        await NextWaitAsync();

        Assert.Equal(2, attempts);
        await StopAsync(running);
    }

    [Fact]
    public async Task Pass_ThatFails_IsRepeatedAfterTheBackoffAndOtherwiseAfterThePeriod()
    {
        var passes = 0;
        var supervised = new SupervisedLoop("reading", time, NullLogger.Instance, (_, delay, _) => delays.Add(delay))
        {
            FirstDelay = TimeSpan.FromSeconds(1),
            MaxDelay = TimeSpan.FromSeconds(1),
        };
        var running = supervised.RepeatAsync(
            _ => ++passes is 2 or 3 ? throw new IOException("no server") : Task.CompletedTask,
            TimeSpan.FromMinutes(1),
            stop.Token);

        await NextWaitAsync();
        Assert.Equal(1, passes);
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(1, passes);
        time.Advance(TimeSpan.FromSeconds(1));
        await NextWaitAsync();
        Assert.Equal((2, 1), (passes, supervised.Failures));
        time.Advance(TimeSpan.FromSeconds(1));
        await NextWaitAsync();
        Assert.Equal((3, 2), (passes, supervised.Failures));
        time.Advance(TimeSpan.FromSeconds(1));
        await NextWaitAsync();
        Assert.Equal((4, 0), (passes, supervised.Failures));

        await StopAsync(running);
        Assert.All(delays, delay => Assert.InRange(delay, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task Repeat_PassThatFails_IsPreparedAgain()
    {
        var (preparations, passes) = (0, new List<int>());
        var continued = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var supervised = Create();
        var running = supervised.RepeatAsync(
            _ => Task.FromResult(++preparations),
            async (preparation, stopped) =>
            {
                passes.Add(preparation);
                if (passes.Count == 3)
                {
                    throw new IOException("no server");
                }

                if (passes.Count == 5)
                {
                    continued.SetResult();
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopped);
                }
            },
            stop.Token);

        await NextWaitAsync();
        await supervised.Failed.WaitAsync(Patience, TimeProvider.System, Token);
        Assert.Equal([1, 1, 1], passes);
        Assert.IsType<IOException>(supervised.LastError);
        time.Advance(TimeSpan.FromSeconds(1));
        await continued.Task.WaitAsync(Patience, Token);
        Assert.Equal([1, 1, 1, 2, 2], passes);
        Assert.Null(supervised.LastError);
        Assert.Equal(0, supervised.Failures);
        await StopAsync(running);
    }

    private SupervisedLoop Create() => new("reading", time, NullLogger.Instance, (_, delay, _) => delays.Add(delay));

    // The clock must not advance before the wait has begun.
    private async Task NextWaitAsync() => Assert.True(await time.Waits.WaitAsync(Patience, Token), "The loop does not wait.");

    private async Task StopAsync(Task running)
    {
        await stop.CancelAsync();
        await running.WaitAsync(Patience, TimeProvider.System, Token);
    }

    private sealed class Entries : ILoggerFactory, ILogger
    {
        public List<(LogLevel Level, string Text)> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            All.Add((logLevel, formatter(state, exception)));

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }
    }
}
