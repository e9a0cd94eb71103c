using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

public sealed class FailureClassifierTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly RetrySettings Retry =
        RetrySettings.Merge(new RetryOptions { MaxRetryAttempts = 1, Delay = TimeSpan.FromSeconds(5), Jitter = 0 });

    private readonly FailurePolicy policy = new(
        "mail",
        Ordered: true,
        new RetryPolicy(Retry, [exception => exception is FormatException], new RandomSource(1), NullLogger.Instance));
    private readonly Envelope envelope = new(new EnvelopeAttributes { Id = "1", Name = "order.placed", Key = "order-1" }, "{}"u8.ToArray());

    [Fact]
    public void Classify_FirstFailure_IsRetriedAfterTheDelay()
    {
        var entry = FailureClassifier.Classify(policy, policy.Fresh(envelope, attempts: 1), new Threw(new IOException("no")), Now);

        Assert.Equal((FailedEventStatus.Waiting, Now.AddSeconds(5), 1), (entry.Status, entry.DueAt, entry.Attempts));
        Assert.Equal(Now, Assert.Single(entry.History).At);
    }

    [Fact]
    public void Classify_RetriesUsedUp_IsADeadLetterThatBlocksItsKey()
    {
        var entry = FailureClassifier.Classify(policy, policy.Fresh(envelope, attempts: 2), new Threw(new IOException("no")), Now);

        Assert.Equal((FailedEventStatus.Dead, DeadLetterReason.HandlerFailed, "order-1"), (entry.Status, entry.Reason, entry.LineKey));
    }

    [Fact]
    public void Classify_PermanentException_IsADeadLetterAtOnce()
    {
        var entry = FailureClassifier.Classify(policy, policy.Fresh(envelope, attempts: 1), new Threw(new FormatException("no")), Now);

        Assert.Equal((FailedEventStatus.Dead, DeadLetterReason.PermanentFailure), (entry.Status, entry.Reason));
    }

    [Fact]
    public void Classify_FailureThatDoesNotCount_IsRetriedWithoutUsingAnAttempt()
    {
        var entry = FailureClassifier.Classify(
            policy,
            policy.Fresh(envelope, attempts: 2),
            new Threw(new IOException("no")) { Counts = false },
            Now);

        Assert.Equal((FailedEventStatus.Waiting, 1), (entry.Status, entry.Attempts));
    }

    [Fact]
    public void Classify_RejectedWhenTheKeyContinues_IsADeadLetterThatBlocksNothing()
    {
        var continues = policy with { ContinueWhenBlocked = true };

        var entry = FailureClassifier.Classify(
            continues,
            continues.Fresh(envelope, attempts: 0),
            new Rejected(new Rejection(DeadLetterReason.Unreadable, "no JSON")),
            Now);

        Assert.Equal((FailedEventStatus.Dead, DeadLetterReason.Unreadable, "no JSON"), (entry.Status, entry.Reason, entry.Error));
        Assert.Null(entry.LineKey);
        Assert.Empty(entry.History);
    }

    [Fact]
    public void Defer_RecheckAfterTheDeadline_IsDueAtTheDeadline()
    {
        var deferred = new Deferred(Stamp: 7, Recheck: TimeSpan.FromMinutes(5), Timeout: TimeSpan.FromMinutes(1)) { Position = 3 };

        var (entry, deadline) = FailureClassifier.Defer(policy.Fresh(envelope, attempts: 1), deferred, Now);

        Assert.Equal(Now.AddMinutes(1), deadline);
        Assert.Equal((FailedEventStatus.Deferred, deadline, 0, (long?)3), (entry.Status, entry.DueAt, entry.Attempts, entry.Position));
    }
}
