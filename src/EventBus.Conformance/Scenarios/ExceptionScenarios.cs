namespace EventBus.Conformance;

/// <summary>
/// Tests the kinds of failure: a permanent exception, a timeout, and an exception without a description.
/// </summary>
internal static class ExceptionScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "permanent-exception",
            "An exception declared permanent makes a dead letter at the first attempt, so that no time is lost to retries that cannot "
                + "help.",
            PermanentAsync),
        new(
            "handler-timeout",
            "A handler that exceeds its timeout is cancelled and counts as a failed attempt, so that a hanging dependency does not hold "
                + "an event without end.",
            TimeoutAsync),
        new(
            "failure-without-description",
            "An exception whose message or stack trace throws, is null, is huge or has many lines is retried, kept with a bounded error "
                + "and reported, and later events of its key and other subscriptions continue, so that an exception affects only its own "
                + "event.",
            UndescribedAsync),
    ];

    private static async Task PermanentAsync(TransportRun run)
    {
        var attempts = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.DeadLetterOn<ArgumentException>().Subscribe<ParcelSent>("failing", (e, _, _) =>
        {
            attempts.Add(e.Number);
            throw new ArgumentOutOfRangeException(nameof(e), "The handler fails on purpose.");
        }));
        await node.Bus.PublishAsync(new ParcelSent(1));
        await node.Alerts.WaitForCountAsync(1, "an alert is raised");
        await node.WhenIdleAsync();
        var letter = (await node.DeadLetters.ListAsync()).Single();
        Expect.Equal(
            (DeadLetterReason.PermanentFailure, 1),
            (letter.Reason, letter.Attempts),
            "the reason and the attempts of the dead letter");
        Expect.Equal(1, attempts.Items.Count, "the number of attempts");
    }

    private static async Task TimeoutAsync(TransportRun run)
    {
        var attempts = new Ledger<int>();
        var node = await run.StartAsync(
            bus => bus.Subscribe("slow", s => s.HandlerTimeout(TimeSpan.FromMilliseconds(50)).Retry(1, TimeSpan.FromMilliseconds(1))
                .On<ParcelSent>(async (_, context, token) =>
                {
                    attempts.Add(context.Attempt);
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
                })));
        await node.Bus.PublishAsync(new ParcelSent(1));
        await node.Alerts.WaitForCountAsync(1, "an alert is raised");
        await node.WhenIdleAsync();
        Expect.Sequence([1, 2], attempts.Items, "the list of attempts");
        var letter = (await node.DeadLetters.ListAsync()).Single();
        Expect.Equal(2, letter.Attempts, "the attempts of the dead letter");
        Expect.That(
            letter.Error?.Contains(nameof(TimeoutException), StringComparison.Ordinal) == true,
            "an error that names the timeout",
            letter.Error);
    }

    private static async Task UndescribedAsync(TransportRun run)
    {
        var attempts = new Ledger<int>();
        var sibling = new Ledger<int>();
        var huge = new string('x', 20 * 1024 * 1024);

        // The texts of the exceptions, by the numbers of the events.
        Func<string?>[] texts =
        [
            () => throw new InvalidOperationException("The exception has no text."),
            () => null,
            () => huge,
            () => "first\r\nforged: second\u001b[2J"
        ];
        var node = await run.StartAsync(bus => bus.Retry(maxRetryAttempts: 1, delay: TimeSpan.FromMilliseconds(1))
            .Subscribe<ParcelSent>("sibling", (e, _, _) => sibling.RecordAsync(e.Number))
            .Subscribe("failing", Configure));
        for (var i = 0; i <= texts.Length; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = "one" });
        }

        await node.Alerts.WaitForCountAsync(texts.Length, "an alert is raised");
        await attempts.WaitUntilAsync(items => items.Contains(texts.Length), "the event behind those that failed is handled");
        await sibling.WaitForCountAsync(texts.Length + 1, "the other subscription handles all");
        await node.WhenIdleAsync();

        Expect.Sequence([0, 0, 1, 1, 2, 2, 3, 3, 4], attempts.Items.Order(), "the attempts of the subscription that fails");
        Expect.Sequence([0, 1, 2, 3, 4], sibling.Items.Order(), "the events that the other subscription handled");
        var letters = await node.DeadLetters.ListAsync();
        Expect.Equal(texts.Length, letters.Count, "the number of dead letters");
        foreach (var letter in letters)
        {
            ExpectBoundedError(letter);
        }

        var forged = node.Logs.Entries.Items.FirstOrDefault(
            entry => $"{entry.Text}\n{entry.Details}".Split('\n').Any(line => line.StartsWith("forged", StringComparison.Ordinal)));
        Expect.That(forged is null, "no log line that begins with a text of the exception", forged?.Details);
        Expect.That(node.Logs.Entries.Items.All(entry => entry.Details.Length < 100_000), "log entries of bounded length");

        void Configure(SubscriptionBuilder subscription)
        {
            if (run.Features.Ordered)
            {
                subscription.Ordered().OnBlockedKey(BlockedKeyBehavior.Continue);
            }

            subscription.On<ParcelSent>((e, _, _) =>
            {
                attempts.Add(e.Number);
                return e.Number < texts.Length ? throw new UndescribedException(texts[e.Number]) : Task.CompletedTask;
            });
        }
    }

    private static void ExpectBoundedError(DeadLetter letter)
    {
        Expect.Equal(
            (DeadLetterReason.HandlerFailed, 2),
            (letter.Reason, letter.Attempts),
            "the reason and the attempts of a dead letter");
        var error = letter.Error ?? "";
        Expect.That(
            error.Length <= 1_024
                && error.Contains(nameof(UndescribedException), StringComparison.Ordinal)
                && !error.Any(char.IsControl),
            "an error of one bounded line that names the type",
            letter.Error);
        Expect.That(
            letter.ErrorDetails is null or { Length: <= 8_192 },
            "bounded details",
            $"{letter.ErrorDetails?.Length} characters");
    }

    /// <summary>An exception whose members return a given text, or throw.</summary>
    private sealed class UndescribedException(Func<string?> text) : Exception
    {
        public override string Message => text()!;

        public override string? StackTrace => text();

        public override System.Collections.IDictionary Data => throw new InvalidOperationException("The exception has no data.");

        public override string ToString() => text()!;
    }
}
