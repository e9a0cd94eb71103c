using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tests how an entry is recognized whose last attempt ended with its process, after it has waited for the claim of
/// that process: it must again run alone, and its attempt is counted when it begins.
/// </summary>
public sealed class InterruptedAttemptsTests
{
    [Theory]
    [InlineData(1, 0, false)] // a first attempt
    [InlineData(2, 1, false)] // a retry of a failure
    [InlineData(2, 2, false)] // a retry of a failure while the circuit breaker was open
    [InlineData(1, 4, false)] // a manual retry
    [InlineData(2, 0, true)] // its process ended in the first attempt
    [InlineData(3, 1, true)] // it failed, and then its process ended
    public void Precede_TheClaim_IfTheLastAttemptIsNotAmongTheFailedOnes(int attempts, int lastFailed, bool expected)
    {
        var entry = Entry(attempts, lastFailed);

        Assert.Equal(expected, InterruptedAttempts.Precede(entry));
        Assert.False(InterruptedAttempts.Precede(entry with { WasInterrupted = true }));
    }

    [Fact]
    public void Restore_OfAClaimedEntry_TakesBackTheAttemptThatTheClaimCounted()
    {
        var restored = InterruptedAttempts.Restore(Entry(3, 1));

        Assert.Equal((2, true), (restored.Attempts, restored.WasInterrupted));
    }

    private static FailedEvent Entry(int attempts, int lastFailed) => new()
    {
        Subscription = "points",
        Envelope = new Envelope(new EnvelopeAttributes { Id = "1", Name = "order.placed" }, new byte[] { 0x7B, 0x7D }),
        Status = FailedEventStatus.Waiting,
        Attempts = attempts,
        History = lastFailed == 0 ? [] : [new FailedAttempt(lastFailed, DateTimeOffset.UnixEpoch, "failed")],
        Claim = 1,
    };
}
