using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

public sealed class RetryPolicyTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 25)]
    [InlineData(3, 125)]
    [InlineData(4, 625)]
    [InlineData(90, 3600)]
    public void DelayAfter_Defaults_GrowFromFiveSecondsToTwoMinutes(int attempts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Policy(new RetryOptions { Jitter = 0 }).DelayAfter(attempts));

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(100, 2)]
    public void DelayAfter_FactorOne_StaysTheSame(int attempts, int seconds) =>
        Assert.Equal(
            TimeSpan.FromSeconds(seconds),
            Policy(new RetryOptions { Delay = TimeSpan.FromSeconds(2), BackoffFactor = 1, Jitter = 0 }).DelayAfter(attempts));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 7)]
    [InlineData(3, 7)]
    public void DelayAfter_List_RepeatsItsLast(int attempts, int seconds) =>
        Assert.Equal(
            TimeSpan.FromSeconds(seconds),
            Policy(new RetryOptions { Delays = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(7)], Jitter = 0 }).DelayAfter(attempts));

    [Fact]
    public void DelayAfter_Jitter_SpreadsBothWaysWithinItsRange()
    {
        var policy = Policy(new RetryOptions());

        var delays = Enumerable.Range(0, 1_000).Select(_ => policy.DelayAfter(1).TotalSeconds).ToList();

        Assert.All(delays, delay => Assert.InRange(delay, 4, 6));
        Assert.True(delays.Min() < 4.2 && delays.Max() > 5.8, $"{delays.Min()} to {delays.Max()}");
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(4, false)]
    public void Allows_Defaults_OneAttemptAndThreeRetries(int attempts, bool expected) =>
        Assert.Equal(expected, Policy(new RetryOptions()).Allows(attempts));

    [Fact]
    public void IsPermanent_WrappedAlone_IsFound()
    {
        var policy = Policy(exception => exception is FormatException, NullLogger.Instance);

        Assert.True(policy.IsPermanent(new AggregateException(new FormatException())));
        Assert.False(policy.IsPermanent(new AggregateException(new FormatException(), new TimeoutException())));
    }

    [Fact]
    public void IsPermanent_PredicateThrows_IsLoggedAndNoMatch()
    {
        using var logs = new LogMemory();

        Assert.False(Policy(
            _ => throw new InvalidOperationException("bad predicate"),
            logs.CreateLogger("test")).IsPermanent(new FormatException()));

        var line = Assert.Single(logs.At(LogLevel.Error));
        Assert.Contains("DeadLetterOn", line, StringComparison.Ordinal);
        Assert.Contains("System.FormatException", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_Levels_TakesEachValueFromTheFirstThatSetsIt()
    {
        var settings = RetrySettings.Merge(
            new RetryOptions { MaxRetryAttempts = 7 },
            null,
            new RetryOptions { Delay = TimeSpan.FromSeconds(1), Jitter = 0 },
            new RetryOptions { MaxRetryAttempts = 1, MaxDelay = TimeSpan.FromMinutes(1), Delays = [TimeSpan.Zero] });

        Assert.Equal(
            (7, TimeSpan.FromSeconds(1), 5.0, TimeSpan.FromMinutes(1), 0.0),
            (settings.MaxRetryAttempts, settings.Delay, settings.BackoffFactor, settings.MaxDelay, settings.Jitter));
        Assert.Null(settings.Delays);
    }

    [Fact]
    public void Merge_OnlyTheNumberSet_KeepsTheInheritedList()
    {
        var settings = RetrySettings.Merge(
            new RetryOptions { MaxRetryAttempts = 2 },
            new RetryOptions { Delays = [TimeSpan.Zero, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)] });

        Assert.Equal((2, 3), (settings.MaxRetryAttempts, settings.Delays!.Count));
    }

    private static RetryPolicy Policy(RetryOptions options) =>
        new(RetrySettings.Merge(options), [], new RandomSource(1), NullLogger.Instance);

    private static RetryPolicy Policy(Func<Exception, bool> isPermanent, ILogger log) =>
        new(RetrySettings.Merge(), [isPermanent], new RandomSource(1), log);
}
