using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class SubscriptionCircuitBreakerTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void RecordFailure_EnoughFailuresInARow_PausesAndCountsThemAll()
    {
        var breaker = CircuitBreaker(3);

        Assert.All(Enumerable.Range(0, 3), _ => Assert.True(Fail(breaker)));

        Assert.True(breaker.IsPaused);
        Assert.False(breaker.TryEnter(out _));
        Assert.False(breaker.WhenMayEnterAsync().IsCompleted);
        Assert.Equal(time.GetUtcNow() + TimeSpan.FromSeconds(30), breaker.ProbeAt);
    }

    [Fact]
    public void RecordFailure_ASuccessInBetween_ResetsTheCount()
    {
        var breaker = CircuitBreaker(3);
        Fail(breaker);
        Fail(breaker);
        breaker.Succeeded();
        Fail(breaker);
        Fail(breaker);

        Assert.False(breaker.IsPaused);
        Fail(breaker);
        Assert.True(breaker.IsPaused);
    }

    [Fact]
    public void RecordFailure_FailuresFarApart_CountsOnlyThoseWithinTheTime()
    {
        var breaker = CircuitBreaker(3);
        for (var i = 0; i < 10; i++)
        {
            Fail(breaker);
            time.Advance(TimeSpan.FromSeconds(31));
        }

        Assert.False(breaker.IsPaused);
        Fail(breaker);
        Assert.False(breaker.IsPaused);
        Fail(breaker);
        Assert.True(breaker.IsPaused);
    }

    [Fact]
    public void RecordFailure_PermanentOrUnreadable_CountsNeitherAsFailureNorSuccess()
    {
        var breaker = CircuitBreaker(2);
        Fail(breaker);
        Assert.True(((Threw)breaker.RecordFailure(new Threw(new FormatException()))).Counts);
        breaker.RecordFailure(new Rejected(new Rejection(DeadLetterReason.Unreadable, "")));
        Assert.False(breaker.IsPaused);

        Fail(breaker);
        Assert.True(breaker.IsPaused);
    }

    [Fact]
    public void RecordFailure_FailureDuringThePause_IsNotCounted()
    {
        var breaker = Paused();

        Assert.False(Fail(breaker));
        Assert.True(((Threw)breaker.RecordFailure(new Threw(new FormatException()))).Counts);
    }

    [Fact]
    public void Probes_KeepFailing_AreSentLessOften()
    {
        var (breaker, waits) = (Paused(), new List<double>());
        for (var i = 0; i < 6; i++)
        {
            waits.Add((breaker.ProbeAt!.Value - time.GetUtcNow()).TotalSeconds);
            time.SetUtcNow(breaker.ProbeAt.Value - TimeSpan.FromMilliseconds(1));
            Assert.False(breaker.TryBeginProbe(out _));
            time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.True(breaker.TryBeginProbe(out var probe));
            Assert.False(breaker.TryBeginProbe(out _));
            Fail(breaker);
            breaker.EndProbe(probe);
        }

        Assert.Equal([30, 60, 120, 240, 300, 300], waits);
    }

    [Fact]
    public void Probe_WithoutAResult_IsFollowedSoonByAnother()
    {
        var breaker = Paused();
        breaker.EndProbe(Begin(breaker));

        Assert.Equal(TimeSpan.FromSeconds(1), breaker.ProbeAt - time.GetUtcNow());
    }

    [Fact]
    public void Probe_NoEntryIsDue_UsesTheNextDeliveryOnly()
    {
        var breaker = Paused();
        breaker.Withdraw(Begin(breaker));

        Assert.True(breaker.WhenMayEnterAsync().IsCompletedSuccessfully);
        Assert.True(breaker.TryEnter(out var probe));
        Assert.NotEqual(0, probe);
        Assert.False(breaker.TryEnter(out _));
        Assert.False(breaker.WhenMayEnterAsync().IsCompleted);
    }

    [Fact]
    public void Probe_Succeeds_ResumesAllAtOnceAndItsLateEndChangesNothing()
    {
        var breaker = Paused();
        var waiting = breaker.WhenMayEnterAsync();
        var probe = Begin(breaker);
        breaker.Succeeded();

        Assert.False(breaker.IsPaused);
        Assert.True(waiting.IsCompletedSuccessfully);
        Fail(breaker);
        Fail(breaker);
        breaker.EndProbe(probe);
        Assert.True(breaker.IsPaused);
        Assert.Equal(TimeSpan.FromSeconds(30), breaker.ProbeAt - time.GetUtcNow());
    }

    [Fact]
    public void Probes_WithRetries_AlternateWithDeliveries()
    {
        var breaker = Paused();
        Assert.False(breaker.WantsDelivery);
        breaker.EndProbe(Begin(breaker));
        Assert.True(breaker.WantsDelivery);

        time.Advance(TimeSpan.FromSeconds(1));
        breaker.Withdraw(Begin(breaker));
        Assert.True(breaker.TryEnter(out _));
        Assert.False(breaker.WantsDelivery);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Stop_WhilePaused_EndsAllWaits(bool letThrough)
    {
        var breaker = Paused();
        var waiting = breaker.WhenMayEnterAsync();
        breaker.Stop(letThrough);

        Assert.True(waiting.IsCompletedSuccessfully);
        Assert.Equal((letThrough, !letThrough), (breaker.TryEnter(out _), breaker.IsOver));
        Assert.Null(breaker.ProbeAt);
        time.Advance(TimeSpan.FromHours(1));
        Assert.False(breaker.TryBeginProbe(out _));
    }

    private static bool Fail(SubscriptionCircuitBreaker breaker) => ((Threw)breaker.RecordFailure(new Threw(new IOException()))).Counts;

    private long Begin(SubscriptionCircuitBreaker breaker)
    {
        time.SetUtcNow(breaker.ProbeAt!.Value);
        Assert.True(breaker.TryBeginProbe(out var probe));
        return probe;
    }

    private SubscriptionCircuitBreaker Paused()
    {
        var breaker = CircuitBreaker(2);
        Fail(breaker);
        Fail(breaker);
        return breaker;
    }

    private SubscriptionCircuitBreaker CircuitBreaker(int count) =>
        new(
            "mail",
            new CircuitBreakerSettings(count, TimeSpan.FromMinutes(1)),
            new RetryPolicy(RetrySettings.Merge(), [exception => exception is FormatException], new RandomSource(1), NullLogger.Instance),
            new WakeSignal(),
            TestServices.Create(time));
}
