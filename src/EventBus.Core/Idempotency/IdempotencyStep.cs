using System.Collections.Concurrent;
using System.Security.Cryptography;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Ensures that only one attempt of a subscription handles an event. Claims the event with a lease before the handler
/// runs, and marks it as handled afterwards, in one commit with the events that the handler published.
/// </summary>
/// <remarks>
/// Only a completed event suppresses later copies. While another attempt holds the claim, this one waits. While the
/// store is down, no handler runs.
/// </remarks>
internal sealed class IdempotencyStep(IdempotencySettings settings, ProcessedEventStore store, DurableWriter writer, BusServices services) : OnceStep
{
    private const string Leases = "idempotency leases";

    private const int MaxKey = 256;

    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1);

    private readonly string subscription = settings.Subscription;
    private readonly IdempotencyOptions options = settings.Options;
    private readonly TimeSpan lease = settings.Lease;
    private readonly LocalProcessedEventStore? local = store as LocalProcessedEventStore;
    private readonly TimestampClock clock = new(services.StoreTime);

    // Concurrent attempts of this process wait for each other without polling the store.
    private readonly ConcurrentDictionary<string, Task> running = new(StringComparer.Ordinal);

    /// <summary>
    /// True if the effects that a handler adds to its context run in the transaction that marks the event as handled.
    /// </summary>
    public bool HasTransactions => store.SupportsTransactions;

    public override bool IsQuick => local is not null && !options.HasKeys;

    public override bool TryClaim(Envelope envelope, out long fence)
    {
        fence = 0;
        return envelope.Uuid != Guid.Empty && envelope.BodyLength < 0 && local!.TryClaim(KeyOf(envelope), out fence);
    }

    public override void Complete(Envelope envelope, long fence, long startedAt) => local!.Complete(KeyOf(envelope), fence, clock.At(startedAt) + options.Retention);

    public override async Task<Failure?> FinishAsync(DeliveryContext context, Envelope envelope, long fence, Func<Commit, Task<Failure?>> outcome)
    {
        var key = KeyOf(envelope);

        // The fencing token stays that of this attempt, even if a later attempt has a higher one: a handler that was
        // abandoned may still read it.
        context.EnsureState().Fence = fence;
        var (committed, published) = (false, (IReadOnlyList<Envelope>)[]);
        var failure = await outcome(async handling =>
        {
            published = handling?.Outbox ?? [];
            committed = await store.CompleteAsync(key, fence, new Completion(published, [], services.StoreTime.GetUtcNow() + options.Retention), CancellationToken.None);
            return committed ? null : Interrupted.Instance;
        });
        if (committed)
        {
            return failure ?? await DispatchAsync(key, SubjectOf(envelope), published, context.Owner);
        }

        await store.ReleaseAsync(key, fence, CancellationToken.None);
        return failure;
    }

    public override long FenceOf(Envelope envelope) => envelope.Uuid != Guid.Empty ? local?.FenceOf(KeyOf(envelope)) ?? 0 : 0;

    public override async Task<Failure?> RunAsync(DeliveryContext context, Envelope envelope, Func<CancellationToken, Commit, Task<Failure?>> handle, Func<CancellationToken> deadline, CancellationToken lost)
    {
        var owner = context.Owner;
        var own = context.Event is { } @event ? options.KeyOf(@event.GetType())?.Invoke(@event) : null;
        if (own is { Length: 0 or > MaxKey })
        {
            throw new InvalidOperationException($"The idempotency key has {own.Length} characters; 1 to {MaxKey} are allowed. Correct the function given to KeyBy<{context.Event!.GetType().Name}>().");
        }

        // A user-defined key is scoped to one event type: OrderPaid and OrderShipped of the same order are not copies
        // of each other.
        var text = own is null ? envelope.Id : $"{context.EventName}~{own}";
        var key = new ProcessedKey(subscription, text);

        // When a handler is retried, the events that it publishes have the same ids, but their bodies may contain other
        // timestamps. So events with derived ids have no fingerprint.
        var fingerprint = own is null && !envelope.IdIsDerived && envelope.BodyLength >= 0 ? Fingerprint(envelope) : 0;
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var subject = SubjectOf(envelope) with { IsDelivery = context.State is not { IsKept: true } };
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(deadline(), lost);
        try
        {
            var claim = await ClaimAsync(key, subject, fingerprint, ended.Task, owner.Slots, waiting.Token);
            if (claim.State != ProcessedState.Done)
            {
                // The handler gets a new deadline: the wait for the store or for another attempt does not count.
                using var handling = CancellationTokenSource.CreateLinkedTokenSource(deadline(), lost);
                return await RunClaimedAsync(context, subject, key, claim.Fence, handle, handling.Token);
            }

            return claim.Fingerprint != 0 && fingerprint != 0 && claim.Fingerprint != fingerprint
                ? new Rejected(new Rejection(DeadLetterReason.IdReused, $"An event with the id '{envelope.Id}' but other content was handled before. Its publisher must give every event its own id."))
                : await DispatchAsync(key, subject, claim.Outbox, owner);
        }
        catch (OperationCanceledException) when (waiting.IsCancellationRequested)
        {
            // The handler was not started: the wait for another attempt is not counted as an attempt.
            return Interrupted.Instance;
        }
        finally
        {
            running.TryRemove(new KeyValuePair<string, Task>(text, ended.Task));
            ended.SetResult();
        }
    }

    private ProcessedKey KeyOf(Envelope envelope) => new(subscription, envelope.Uuid);

    private WriteSubject SubjectOf(Envelope envelope) => new(subscription, envelope.Name, envelope.Id, ProbeAsync);

    /// <summary>
    /// Checks whether the store accepts writes at all: claims and releases a key that belongs to no event.
    /// </summary>
    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var now = services.StoreTime.GetUtcNow();
        var key = new ProcessedKey("eventbus/probe", $"{now.UtcTicks}");
        var claim = await store.ClaimAsync(key, 0, now, lease, cancellationToken);
        await store.ReleaseAsync(key, claim.Fence, cancellationToken);
    }

    private async Task<ProcessedClaim> ClaimAsync(ProcessedKey key, WriteSubject subject, long fingerprint, Task ended, ConcurrencyLimiter slots, CancellationToken token)
    {
        var text = key.Key;
        for (var look = FirstLook; ; look = look * 2 < LongestLook ? look * 2 : LongestLook)
        {
            while (running.GetOrAdd(text, ended) is var earlier && earlier != ended)
            {
                await slots.WaitWithoutAsync(earlier.WaitAsync(token), services.Abort);
            }

            var (claim, asked) = (default(ProcessedClaim), default(DateTimeOffset));
            await writer.WriteAsync(subject, slots, async cancel => claim = await store.ClaimAsync(key, fingerprint, asked = services.StoreTime.GetUtcNow(), lease, cancel));
            if (claim.State == ProcessedState.New && asked + lease <= services.StoreTime.GetUtcNow())
            {
                // The answer came after the lease had expired: another attempt may have begun, or even completed.
                continue;
            }

            if (claim.State != ProcessedState.InProgress)
            {
                return claim;
            }

            // A local store never loses claims, so it signals when the claim is settled. Other stores are polled.
            await (local is not null ? slots.WaitWithoutAsync(local.WhenSettledAsync(key, token), services.Abort) : Task.Delay(look, services.Time, token));
        }
    }

    private async Task<Failure?> RunClaimedAsync(DeliveryContext context, WriteSubject subject, ProcessedKey key, long fence, Func<CancellationToken, Commit, Task<Failure?>> handle, CancellationToken token)
    {
        var owner = context.Owner;
        var handling = context.EnsureState();
        (handling.Fence, handling.Key) = (fence, key.Key);
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(token);
        var renewal = new Renewal(lost) { At = services.StoreTime.GetUtcNow() };
        await using var timer = services.Time.CreateTimer(_ => services.Runner.Observe(RenewAsync(key, fence, renewal)), null, lease / 3, lease / 3);
        var committed = false;
        var failure = await handle(lost.Token, async _ =>
        {
            try
            {
                await writer.WriteAsync(subject, owner.Slots, async cancel => committed = await CompleteAsync(key, fence, handling, lost.Token, cancel));
            }
            catch (StoreRefusedException exception)
            {
                // The handler has run: another attempt would not help, and might repeat its external effects.
                return new Rejected(new Rejection(DeadLetterReason.Unstorable, $"Its handler succeeded, but the store cannot mark the event as handled. {ExceptionText.MessageOf(exception)}"));
            }

            if (committed)
            {
                // Even if the claim was lost in the meantime, no other attempt runs the event now.
                return null;
            }

            lost.Token.ThrowIfCancellationRequested();
            return Interrupted.Instance;
        });
        if (committed)
        {
            return failure ?? await DispatchAsync(key, subject, handling.Outbox ?? [], owner);
        }

        // A claim that cannot be released ends with its lease.
        await writer.TryWriteAsync(subject, owner.Slots, cancel => store.ReleaseAsync(key, fence, cancel));

        // Another attempt has the claim: its outcome counts, and this event is checked again.
        return lost.IsCancellationRequested && !token.IsCancellationRequested ? Interrupted.Instance : failure;
    }

    private async ValueTask<bool> CompleteAsync(ProcessedKey key, long fence, DeliveryState handling, CancellationToken lost, CancellationToken cancel)
    {
        var completion = new Completion(handling.Outbox ?? [], handling.Effects ?? [], services.StoreTime.GetUtcNow() + options.Retention);
        if (handling.Effects is null)
        {
            return await store.CompleteAsync(key, fence, completion, cancel);
        }

        // If the handler has timed out or its claim is lost, its effects must not be executed.
        try
        {
            return !lost.IsCancellationRequested && await store.CompleteAsync(key, fence, completion, lost);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            // This is not a failure of the store. If the store has committed nevertheless, the next attempt finds that.
            return false;
        }
    }

    private async Task RenewAsync(ProcessedKey key, long fence, Renewal renewal)
    {
        var now = services.StoreTime.GetUtcNow();
        try
        {
            if (await store.RenewAsync(key, fence, now + lease, CancellationToken.None))
            {
                renewal.At = now;
                services.Log.Working(Leases);
                return;
            }
        }
        catch (Exception exception)
        {
            services.Log.Failing(Leases, exception, full => full.LoopFailed(Leases, exception));
            if (renewal.At + lease > services.StoreTime.GetUtcNow())
            {
                return;
            }
        }

        try
        {
            await renewal.Lost.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended while the renewal was running.
        }
    }

    /// <summary>
    /// Sends the events that the handler published, also those of an attempt whose process ended between the commit and
    /// the sending.
    /// </summary>
    private async Task<Failure?> DispatchAsync(ProcessedKey key, WriteSubject subject, IReadOnlyList<Envelope> outbox, SubscriptionRuntime owner)
    {
        if (outbox.Count > 0)
        {
            await owner.FollowUps.SendAsync(outbox);
            await writer.TryWriteAsync(subject, owner.Slots, cancel => store.DispatchedAsync(key, cancel));
        }

        return null;
    }

    /// <summary>Returns the first 64 bits of the body's SHA-256 hash; never 0, which means unknown.</summary>
    private static long Fingerprint(Envelope envelope)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(envelope.Body.Span, hash);
        return BitConverter.ToInt64(hash) is not 0 and var value ? value : 1;
    }

    private sealed class Renewal(CancellationTokenSource lost)
    {
        public CancellationTokenSource Lost => lost;

        public DateTimeOffset At { get; set; }
    }
}
