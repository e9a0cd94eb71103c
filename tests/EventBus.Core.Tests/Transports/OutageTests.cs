using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that a repeated failure is logged in full once, then once a minute, and once when it ends.</summary>
public sealed class OutageTests : IDisposable
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Recorder logs = new();
    private readonly ILogger log;

    public OutageTests() => log = BackendLog.Create(logs, "test", time);

    private int InFull => logs.Entries.Count(entry => entry.Text == "in full");

    private int Summaries => logs.Entries.Count(entry => entry.Text.Contains("further failures", StringComparison.Ordinal));

    private int Ends => logs.Entries.Count(entry => entry.Text.StartsWith("Recovered after", StringComparison.Ordinal));

    [Fact]
    public void Outage_OfFiveMinutes_IsLoggedInFullOnceThenOnceAMinuteAndAtItsEnd()
    {
        for (var second = 0; second < 300; second++)
        {
            Fail("reading", new IOException($"no answer\nmore of that {second}"));
            time.Advance(TimeSpan.FromSeconds(1));
        }

        log.Working("reading");
        log.Working("reading");

        Assert.Equal((1, 4, 1), (InFull, Summaries, Ends));
        var summary = logs.Entries.First(entry => entry.Text.Contains("further failures", StringComparison.Ordinal));
        Assert.Equal("Failing since 2026-01-01T00:00:00.0000000+00:00: 60 further failures were not logged one by one. The last: reading: "
            + "System.IO.IOException: no answer", summary.Text);
        Assert.Null(summary.Exception);
        Assert.Contains("after 300 failures in 00:05:00", logs.Entries[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Cause_OfAnotherTypeOrActivity_IsLoggedInFull()
    {
        Fail("reading", new IOException("1"));
        Fail("reading", new TimeoutException("2"));
        Fail("writing", new IOException("3"));
        Fail("writing", new IOException("4"));

        Assert.Equal(3, InFull);
    }

    [Fact]
    public void Causes_OfAThousandActivities_AreLoggedInFullTenTimes()
    {
        for (var i = 0; i < 1_000; i++)
        {
            Fail($"reading {i}", new IOException("no"));
        }

        time.Advance(TimeSpan.FromMinutes(1));
        Fail("reading 0", new IOException("no"));

        Assert.Equal((10, 1), (InFull, Summaries));
    }

    [Fact]
    public void Activity_ThatFailsAndSucceedsInTurn_IsLoggedRarely()
    {
        for (var second = 0; second < 600; second++)
        {
            Fail("reading", new IOException("no"));
            time.Advance(TimeSpan.FromSeconds(1));
            log.Working("reading");
        }

        Assert.Equal(1, InFull);
        Assert.InRange(logs.Entries.Count, 10, 21);
    }

    [Fact]
    public void Outage_OfTwoActivities_EndsForEach()
    {
        Fail("reading", new IOException("no"));
        Fail("writing", new IOException("no"));
        log.Working("reading");
        Assert.Equal(1, Ends);

        log.Working("writing");
        Assert.Equal(2, Ends);
        Assert.EndsWith("after 1 failures in 00:00:00: writing", logs.Entries[^1].Text, StringComparison.Ordinal);
    }

    /// <summary>
    /// A permanent failure, such as an alert with a wrong address, does not hide an outage of another activity.
    /// </summary>
    [Fact]
    public void Outage_WhileAnotherActivityFailsPermanently_IsLoggedInFullEachTimeWithItsEnd()
    {
        for (var minute = 0; minute < 600; minute++)
        {
            if (minute % 5 == 0)
            {
                Fail("the alert", new IOException("no such host"));
            }

            if (minute is 100 or 400)
            {
                Fail("writing", new IOException("down"));
            }

            if (minute is 103 or 403)
            {
                log.Working("writing");
            }

            time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal((3, 2), (InFull, Ends));
    }

    [Fact]
    public void Outage_MoreThanAMinuteAfterAnother_IsLoggedInFull()
    {
        Fail("reading", new IOException("no"));
        log.Working("reading");
        time.Advance(TimeSpan.FromMinutes(1));

        Fail("reading", new IOException("no"));
        log.Working("reading");

        Assert.Equal((2, 2), (InFull, Ends));
    }

    /// <summary>An activity that has stopped trying must not extend the next outage.</summary>
    [Fact]
    public void Activity_WithoutAFailureForTenMinutes_CountsAsWorking()
    {
        Fail("an entry", new IOException("no"));
        time.Advance(TimeSpan.FromMinutes(12));

        Fail("reading", new IOException("no"));
        log.Working("reading");

        Assert.Equal((2, 1), (InFull, Ends));
    }

    [Fact]
    public void Activity_FailsAgainAfterTenMinutesAndSucceeds_LeavesNoOutage()
    {
        Fail("reading", new IOException("no"));
        time.Advance(TimeSpan.FromMinutes(12));
        Fail("reading", new IOException("no"));

        log.Working("reading");

        Assert.True(((PrintableLogger)log).Outage.IsOver);
    }

    [Fact]
    public void Exception_WhoseMessageThrows_IsCounted()
    {
        Fail("the alert", new ThrowingException());
        time.Advance(TimeSpan.FromMinutes(1));

        Fail("the alert", new ThrowingException());

        Assert.Equal((1, 1), (InFull, Summaries));
    }

    public void Dispose() => logs.Dispose();

    private void Fail(string activity, Exception exception) => log.Failing(activity, exception, full => full.LogWarning("in full"));

    private sealed class Recorder : ILoggerFactory, ILogger
    {
        public List<(string Text, Exception? Exception)> Entries { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) => Entries.Add((formatter(state, exception), exception));

        public void Dispose()
        {
        }
    }

    private sealed class ThrowingException : Exception
    {
        public override string Message => throw new InvalidOperationException();
    }
}
