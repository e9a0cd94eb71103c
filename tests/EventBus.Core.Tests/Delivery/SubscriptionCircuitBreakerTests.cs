using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class SubscriptionCircuitBreakerTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void Weigh_EnoughFailuresInARow_PausesAndCountsThemAll()
    {
        var gauge = CircuitBreaker(3);

        Assert.All(Enumerable.Range(0, 3), _ => Assert.True(Fail(gauge)));

        Assert.True(gauge.IsPaused);
        Assert.False(gauge.TryEnter(out _));
        Assert.False(gauge.WhenMayEnterAsync().IsCompleted);
        Assert.Equal(time.GetUtcNow() + TimeSpan.FromSeconds(30), gauge.ProbeAt);
    }

    [Fact]
    public void Weigh_ASuccessInBetween_BeginsAnew()
    {
        var gauge = CircuitBreaker(3);
        Fail(gauge);
        Fail(gauge);
        gauge.Succeeded();
        Fail(gauge);
        Fail(gauge);

        Assert.False(gauge.IsPaused);
        Fail(gauge);
        Assert.True(gauge.IsPaused);
    }

    [Fact]
    public void Weigh_FailuresFarApart_OnlyThoseWithinTheTimeCount()
    {
        var gauge = CircuitBreaker(3);
        for (var i = 0; i < 10; i++)
        {
            Fail(gauge);
            time.Advance(TimeSpan.FromSeconds(31));
        }

        Assert.False(gauge.IsPaused);
        Fail(gauge);
        Assert.False(gauge.IsPaused);
        Fail(gauge);
        Assert.True(gauge.IsPaused);
    }

    [Fact]
    public void Weigh_PermanentOrUnreadable_CountsNeitherWay()
    {
        var gauge = CircuitBreaker(2);
        Fail(gauge);
        Assert.True(((Threw)gauge.Weigh(new Threw(new FormatException()))).Counts);
        gauge.Weigh(new Rejected(new Rejection(DeadLetterReason.Unreadable, "")));
        Assert.False(gauge.IsPaused);

        Fail(gauge);
        Assert.True(gauge.IsPaused);
    }

    [Fact]
    public void Weigh_FailureDuringThePause_IsNotCounted()
    {
        var gauge = Paused();

        Assert.False(Fail(gauge));
        Assert.True(((Threw)gauge.Weigh(new Threw(new FormatException()))).Counts);
    }

    [Fact]
    public void Probes_KeepFailing_ComeLessAndLessOften()
    {
        var (gauge, waits) = (Paused(), new List<double>());
        for (var i = 0; i < 6; i++)
        {
            waits.Add((gauge.ProbeAt!.Value - time.GetUtcNow()).TotalSeconds);
            time.SetUtcNow(gauge.ProbeAt.Value - TimeSpan.FromMilliseconds(1));
            Assert.False(gauge.TryBeginProbe(out _));
            time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.True(gauge.TryBeginProbe(out var probe));
            Assert.False(gauge.TryBeginProbe(out _));
            Fail(gauge);
            gauge.EndProbe(probe);
        }

        Assert.Equal([30, 60, 120, 240, 300, 300], waits);
    }

    [Fact]
    public void Probe_ThatSaidNothing_IsFollowedSoon()
    {
        var gauge = Paused();
        gauge.EndProbe(Begin(gauge));

        Assert.Equal(TimeSpan.FromSeconds(1), gauge.ProbeAt - time.GetUtcNow());
    }

    [Fact]
    public void Probe_NothingToProbeWith_TheNextDeliveryIsTheProbeAndNoOther()
    {
        var gauge = Paused();
        gauge.Withdraw(Begin(gauge));

        Assert.True(gauge.WhenMayEnterAsync().IsCompletedSuccessfully);
        Assert.True(gauge.TryEnter(out var probe));
        Assert.NotEqual(0, probe);
        Assert.False(gauge.TryEnter(out _));
        Assert.False(gauge.WhenMayEnterAsync().IsCompleted);
    }

    [Fact]
    public void Probe_Succeeds_OpensForAllAtOnceAndItsLateEndChangesNothing()
    {
        var gauge = Paused();
        var waiting = gauge.WhenMayEnterAsync();
        var probe = Begin(gauge);
        gauge.Succeeded();

        Assert.False(gauge.IsPaused);
        Assert.True(waiting.IsCompletedSuccessfully);
        Fail(gauge);
        Fail(gauge);
        gauge.EndProbe(probe);
        Assert.True(gauge.IsPaused);
        Assert.Equal(TimeSpan.FromSeconds(30), gauge.ProbeAt - time.GetUtcNow());
    }

    [Fact]
    public void Probes_WithRetries_TakeTurnsWithDeliveries()
    {
        var gauge = Paused();
        Assert.False(gauge.WantsDelivery);
        gauge.EndProbe(Begin(gauge));
        Assert.True(gauge.WantsDelivery);

        time.Advance(TimeSpan.FromSeconds(1));
        gauge.Withdraw(Begin(gauge));
        Assert.True(gauge.TryEnter(out _));
        Assert.False(gauge.WantsDelivery);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Stop_WhilePaused_NobodyWaitsAnyMore(bool letThrough)
    {
        var gauge = Paused();
        var waiting = gauge.WhenMayEnterAsync();
        gauge.Stop(letThrough);

        Assert.True(waiting.IsCompletedSuccessfully);
        Assert.Equal((letThrough, !letThrough), (gauge.TryEnter(out _), gauge.IsOver));
        Assert.Null(gauge.ProbeAt);
        time.Advance(TimeSpan.FromHours(1));
        Assert.False(gauge.TryBeginProbe(out _));
    }

    private static bool Fail(SubscriptionCircuitBreaker gauge) => ((Threw)gauge.Weigh(new Threw(new IOException()))).Counts;

    private long Begin(SubscriptionCircuitBreaker gauge)
    {
        time.SetUtcNow(gauge.ProbeAt!.Value);
        Assert.True(gauge.TryBeginProbe(out var probe));
        return probe;
    }

    private SubscriptionCircuitBreaker Paused()
    {
        var gauge = CircuitBreaker(2);
        Fail(gauge);
        Fail(gauge);
        return gauge;
    }

    private SubscriptionCircuitBreaker CircuitBreaker(int count) =>
        new(
            "mail",
            new CircuitBreakerSettings(count, TimeSpan.FromMinutes(1)),
            new RetryPolicy(RetrySettings.Merge(), [exception => exception is FormatException], new RandomSource(1), NullLogger.Instance),
            new WakeSignal(),
            TestServices.Create(time));
}
