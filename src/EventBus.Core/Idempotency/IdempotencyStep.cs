using System.Collections.Concurrent;
using System.Security.Cryptography;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Lets one run of a subscription handle an event: claims it with a lease before the handler, and marks it done after it, in one commit with what the handler published.</summary>
/// <remarks>Only what is done suppresses. While another run holds the claim this one waits; when the store is down nothing runs.</remarks>
internal sealed class IdempotencyStep(string subscription, ProcessedEventStore store, IdempotencyOptions options, FailureRecorder failures, IdempotencyEnvironment environment) : OnceStep
{
    private const string Leases = "idempotency leases";

    private const int MaxKey = 256;

    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1);

    private readonly LocalProcessedEventStore? local = store as LocalProcessedEventStore;
    private readonly TimestampClock clock = new(environment.Time);

    // Runs of this process wait for one another without asking the store.
    private readonly ConcurrentDictionary<string, Task> running = new(StringComparer.Ordinal);

    public override bool IsQuick => local is not null && !options.HasKeys;

    public override bool TryClaim(Envelope envelope, out long fence)
    {
        fence = 0;
        return envelope.Uuid != Guid.Empty && envelope.BodyLength < 0 && local!.TryClaim(KeyOf(envelope), out fence);
    }

    public override void Complete(Envelope envelope, long fence, long startedAt) => local!.Complete(KeyOf(envelope), fence, clock.At(startedAt) + options.Retention);

    public override async Task<Failure?> FinishAsync(EventContext context, Envelope envelope, long fence, Func<Commit, Task<Failure?>> outcome)
    {
        var key = KeyOf(envelope);

        // It stays this run's number, even when a later run has another: a handler that is left behind may still ask.
        context.EnsureHandling().Fence = fence;
        var (committed, published) = (false, (IReadOnlyList<Envelope>)[]);
        var failure = await outcome(async handling =>
        {
            published = handling?.Outbox ?? [];
            committed = await store.CompleteAsync(key, fence, new Completion(published, [], environment.Time.GetUtcNow() + options.Retention), CancellationToken.None);
            return committed ? null : Interrupted.Instance;
        });
        if (committed)
        {
            return failure ?? await DispatchAsync(key, SubjectOf(envelope), published, context.Owner!);
        }

        await store.ReleaseAsync(key, fence, CancellationToken.None);
        return failure;
    }

    public override long FenceOf(Envelope envelope) => envelope.Uuid != Guid.Empty ? local?.FenceOf(KeyOf(envelope)) ?? 0 : 0;

    public override async Task<Failure?> RunAsync(EventContext context, Envelope envelope, Func<CancellationToken, Commit, Task<Failure?>> handle, Func<CancellationToken> deadline, CancellationToken lost)
    {
        var owner = context.Owner!;
        var own = context.Event is { } @event ? options.KeyOf(@event.GetType())?.Invoke(@event) : null;
        if (own is { Length: 0 or > MaxKey })
        {
            throw new InvalidOperationException($"The idempotency key has {own.Length} characters; 1 to {MaxKey} are allowed. Correct what was given to KeyBy<{context.Event!.GetType().Name}>().");
        }

        // A key of the user's is that of one type of event: OrderPaid and OrderShipped of one order are not copies of each other.
        var text = own is null ? envelope.Id : $"{context.EventName}~{own}";
        var key = new ProcessedKey(subscription, text);

        // What a handler publishes when it runs again has the same id and perhaps another time stamp in its body.
        var fingerprint = own is null && !envelope.IdIsDerived && envelope.BodyLength >= 0 ? Fingerprint(envelope) : 0;
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var subject = SubjectOf(envelope) with { IsDelivery = context.State is not { IsKept: true } };
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(deadline(), lost);
        try
        {
            var claim = await ClaimAsync(key, subject, fingerprint, ended.Task, owner.Slots, waiting.Token);
            if (claim.State != ProcessedState.Done)
            {
                // Waiting for the store, or for another run, was not the handler's time.
                using var handling = CancellationTokenSource.CreateLinkedTokenSource(deadline(), lost);
                return await RunClaimedAsync(context, subject, key, claim.Fence, handle, handling.Token);
            }

            return claim.Fingerprint != 0 && fingerprint != 0 && claim.Fingerprint != fingerprint
                ? new Rejected(new Rejection(DeadLetterReason.IdReused, $"An event with the id '{envelope.Id}' but other content was handled before. Its publisher must give every event an id of its own."))
                : await DispatchAsync(key, subject, claim.Outbox, owner);
        }
        catch (OperationCanceledException) when (waiting.IsCancellationRequested)
        {
            // The handler was not started: waiting for another run does not count.
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

    /// <summary>Claims a key of no event, and gives it back: whether the store takes anything at all.</summary>
    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var now = environment.Time.GetUtcNow();
        var key = new ProcessedKey("eventbus/probe", $"{now.UtcTicks}");
        var claim = await store.ClaimAsync(key, 0, now, environment.Lease, cancellationToken);
        await store.ReleaseAsync(key, claim.Fence, cancellationToken);
    }

    private async Task<ProcessedClaim> ClaimAsync(ProcessedKey key, WriteSubject subject, long fingerprint, Task ended, ConcurrencyLimiter slots, CancellationToken token)
    {
        var text = key.Key;
        for (var look = FirstLook; ; look = look * 2 < LongestLook ? look * 2 : LongestLook)
        {
            while (running.GetOrAdd(text, ended) is var earlier && earlier != ended)
            {
                await failures.WaitForAsync(earlier.WaitAsync(token), slots);
            }

            var (claim, asked) = (default(ProcessedClaim), default(DateTimeOffset));
            await failures.Writer.WriteAsync(subject, slots, async cancel => claim = await store.ClaimAsync(key, fingerprint, asked = environment.Time.GetUtcNow(), environment.Lease, cancel));
            if (claim.State == ProcessedState.New && asked + environment.Lease <= environment.Time.GetUtcNow())
            {
                // The answer came when the lease had ended: another run may have begun, or be done.
                continue;
            }

            if (claim.State != ProcessedState.InProgress)
            {
                return claim;
            }

            // Where claims are not lost, whoever holds it will say so.
            await (local is not null ? failures.WaitForAsync(local.WhenSettledAsync(key, token), slots) : Task.Delay(look, environment.Time, token));
        }
    }

    private async Task<Failure?> RunClaimedAsync(EventContext context, WriteSubject subject, ProcessedKey key, long fence, Func<CancellationToken, Commit, Task<Failure?>> handle, CancellationToken token)
    {
        var owner = context.Owner!;
        var handling = context.EnsureHandling();
        (handling.Fence, handling.Key) = (fence, key.Key);
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(token);
        var renewal = new Renewal(lost) { At = environment.Time.GetUtcNow() };
        await using var timer = environment.Time.CreateTimer(_ => environment.Runner.Observe(RenewAsync(key, fence, renewal)), null, environment.Lease / 3, environment.Lease / 3);
        var committed = false;
        var failure = await handle(lost.Token, async _ =>
        {
            try
            {
                await failures.Writer.WriteAsync(subject, owner.Slots, async cancel => committed = await CompleteAsync(key, fence, handling, lost.Token, cancel));
            }
            catch (StoreRefusedException exception)
            {
                // The handler has run: another start would change nothing, and might repeat what it did elsewhere.
                return new Rejected(new Rejection(DeadLetterReason.Unstorable, $"Its handler has succeeded, and the store cannot mark it as handled. {ExceptionText.MessageOf(exception)}"));
            }

            if (committed)
            {
                // Whatever was lost meanwhile, nobody else runs it now.
                return null;
            }

            lost.Token.ThrowIfCancellationRequested();
            return Interrupted.Instance;
        });
        if (committed)
        {
            return failure ?? await DispatchAsync(key, subject, handling.Outbox ?? [], owner);
        }

        // A claim that cannot be given back ends with its lease.
        await failures.Writer.TryWriteAsync(subject, owner.Slots, cancel => store.ReleaseAsync(key, fence, cancel));

        // Another run has the claim: its outcome counts, and this event is looked at again.
        return lost.IsCancellationRequested && !token.IsCancellationRequested ? Interrupted.Instance : failure;
    }

    private async ValueTask<bool> CompleteAsync(ProcessedKey key, long fence, DeliveryState handling, CancellationToken lost, CancellationToken cancel)
    {
        var completion = new Completion(handling.Outbox ?? [], handling.Effects ?? [], environment.Time.GetUtcNow() + options.Retention);
        if (handling.Effects is null)
        {
            return await store.CompleteAsync(key, fence, completion, cancel);
        }

        // The handler's time is up, or its claim is lost: its effects are not to be tried any more.
        try
        {
            return !lost.IsCancellationRequested && await store.CompleteAsync(key, fence, completion, lost);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            // Nothing is wrong with the store. Had it committed all the same, the next run finds that.
            return false;
        }
    }

    private async Task RenewAsync(ProcessedKey key, long fence, Renewal renewal)
    {
        var now = environment.Time.GetUtcNow();
        try
        {
            if (await store.RenewAsync(key, fence, now + environment.Lease, CancellationToken.None))
            {
                renewal.At = now;
                environment.Log.Working(Leases);
                return;
            }
        }
        catch (Exception exception)
        {
            environment.Log.Failing(Leases, exception, full => full.LoopFailed(Leases, exception));
            if (renewal.At + environment.Lease > environment.Time.GetUtcNow())
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
            // The run has ended while this was asking.
        }
    }

    /// <summary>Sends what the handler published, also for a run that died between its commit and the sending.</summary>
    private async Task<Failure?> DispatchAsync(ProcessedKey key, WriteSubject subject, IReadOnlyList<Envelope> outbox, SubscriptionRuntime owner)
    {
        if (outbox.Count > 0)
        {
            await owner.Publisher.SendFollowUpsAsync(outbox);
            await failures.Writer.TryWriteAsync(subject, owner.Slots, cancel => store.DispatchedAsync(key, cancel));
        }

        return null;
    }

    /// <summary>The first 64 bits of the body's SHA-256; never 0, which means unknown.</summary>
    private static long Fingerprint(Envelope envelope)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(envelope.GetBody().Span, hash);
        return BitConverter.ToInt64(hash) is not 0 and var value ? value : 1;
    }

    private sealed class Renewal(CancellationTokenSource lost)
    {
        public CancellationTokenSource Lost => lost;

        public DateTimeOffset At { get; set; }
    }
}
