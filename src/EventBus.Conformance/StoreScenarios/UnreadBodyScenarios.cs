using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests the total size of the bodies that could not be read.</summary>
internal static class UnreadBodyScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "unreadable-bytes",
            "The store adds up the large bodies of dead letters that could not be read, for each subscription, so that their total size "
                + "can be limited.",
            UnreadableAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task UnreadableAsync(StoreRun run)
    {
        const int Threshold = 64 * 1024;
        await run.RecordAsync(
            Large("1", Threshold + 1, DeadLetterReason.Unreadable),
            Large("2", Threshold + 2, DeadLetterReason.TooLarge),
            Large("3", Threshold + 3, DeadLetterReason.UnknownEvent),
            Large("small", Threshold, DeadLetterReason.Unreadable),
            Large("read", Threshold + 100, DeadLetterReason.HandlerFailed),
            Large("1", Threshold + 1_000, DeadLetterReason.Unreadable) with { Subscription = "mail.b" },
            Large("waiting", Threshold + 1, DeadLetterReason.Unreadable) with { Status = FailedEventStatus.Waiting, DueAt = run.In(100) });
        await ExpectAsync((3 * Threshold) + 6, "mail", "at first");
        await ExpectAsync(Threshold + 1_000, "mail.b", "at first");
        await ExpectAsync(0, "stock", "at first");

        await run.DeadLetters.DiscardAsync("mail~1", default);
        await run.DeadLetters.RetryAsync("mail~2", run.Now, default);
        await ExpectAsync(Threshold + 3, "mail", "after one was discarded and one retried");
        await run.Failures.RecordAsync(
            await run.ClaimOneAsync("2") with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.TooLarge },
            default);
        await ExpectAsync((2 * Threshold) + 5, "mail", "after one became a dead letter again");

        FailedEvent Large(string id, int bytes, DeadLetterReason reason) =>
            run.Dead(id, reason: reason) with
            {
                Envelope = new Envelope(new EnvelopeAttributes { Id = id, Name = "order.placed" }, new byte[bytes])
            };

        async Task ExpectAsync(long expected, string subscription, string when) =>
            Expect.Equal(
                expected,
                await run.DeadLetters.MeasureUnreadableAsync(subscription, Threshold, default),
                $"the total bytes of the large unreadable bodies of {subscription} {when}");
    }
}
