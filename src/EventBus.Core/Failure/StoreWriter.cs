using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Writes to a store until it takes the write, and tells three kinds of trouble apart: the store takes nothing, it has no room for a subscription, or it cannot take this one entry. Thread-safe.</summary>
/// <remarks>
/// A store may say which it is (<see cref="StoreRefusedException"/>). Of any other exception nothing is guessed: a probe writes something unrelated. When the probe succeeds several times and the write
/// fails right after it each time, the write is at fault.
/// </remarks>
internal sealed class StoreWriter(RunEnvironment environment)
{
    // That many times the store takes something else, and right after that not this.
    private const int Proofs = 4;

    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private readonly WriteHold down = new();

    /// <summary>At least one write is held, because the store takes nothing.</summary>
    public bool StoreIsDown => down.IsHeld;

    /// <summary>Completes when neither the store nor the subscription holds a write, or when the bus aborts, which ends the held writes.</summary>
    public async Task WhenWritableAsync(HandlerSlots slots)
    {
        while (down.IsHeld || slots.Hold.IsHeld)
        {
            await down.WhenFreeAsync();
            await slots.Hold.WhenFreeAsync();
        }
    }

    /// <summary>Writes until the store has taken it.</summary>
    /// <remarks>
    /// While the write is held the caller's slot is lent, so that retries go on, which may be what makes room in a full store; and no pump of the bus, or of the subscription alone, takes a new delivery, so
    /// that what is held stays as little as was in flight.
    /// </remarks>
    /// <param name="subject">What the write is about.</param>
    /// <param name="slots">Where the caller holds a slot.</param>
    /// <param name="forms">The write; then what is written instead when the store cannot take it. Without any alternative the caller learns of it.</param>
    /// <returns>Which of the forms was written.</returns>
    /// <exception cref="StoreRefusedException">The store does not take this write, and there is no alternative.</exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store took it.</exception>
    public async Task<int> WriteAsync(WriteSubject subject, HandlerSlots slots, params Func<CancellationToken, ValueTask>[] forms)
    {
        if (await TryAsync(forms[0]) is not { } error)
        {
            return 0;
        }

        var repeating = RepeatAsync(subject, slots, forms, error);
        await slots.WaitWithoutAsync(repeating, environment.Abort);
        return await repeating;
    }

    /// <summary>Writes what may be left out when the store does not take it.</summary>
    public async Task TryWriteAsync(WriteSubject subject, HandlerSlots slots, Func<CancellationToken, ValueTask> write)
    {
        try
        {
            await WriteAsync(subject, slots, write);
        }
        catch (StoreRefusedException exception)
        {
            environment.Log.StepLeftOut(subject.Subscription, subject.EventName, subject.EventId, exception);
        }
    }

    private ILogger Log => environment.Log;

    private async Task<int> RepeatAsync(WriteSubject subject, HandlerSlots slots, Func<CancellationToken, ValueTask>[] forms, Exception error)
    {
        var held = new Held(subject, this, slots.Hold);
        var (proofs, backoff, answers) = (0, FirstBackoff, (bool?)null);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                if (IsRefused(error, proofs) && await InsteadAsync(subject, forms, error, proofs) is { } instead)
                {
                    return instead;
                }

                var scope = error is StoreRefusedException known ? known.Scope : (answers ??= await AnswersAsync(subject)) == true ? StoreScope.Entry : StoreScope.Store;
                held.Because(error, scope, attempt, backoff);
                await Task.Delay(backoff, environment.Time, environment.Abort);
                backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
                answers = error is StoreRefusedException ? null : await AnswersAsync(subject);
                if (answers == false)
                {
                    // The write would say nothing: whether the store takes it shows only while the store takes anything.
                    continue;
                }

                if (await TryAsync(forms[0]) is not { } next)
                {
                    return 0;
                }

                proofs += answers == true && next is not StoreRefusedException ? 1 : 0;
                error = next;
            }
        }
        finally
        {
            held.End();
        }
    }

    private static bool IsRefused(Exception error, int proofs) => error is StoreRefusedException refused ? refused.Scope == StoreScope.Entry : proofs >= Proofs;

    /// <summary>Writes an alternative. Null when the store takes none of them now.</summary>
    private async Task<int?> InsteadAsync(WriteSubject subject, Func<CancellationToken, ValueTask>[] forms, Exception error, int proofs)
    {
        if (forms.Length == 1)
        {
            throw error as StoreRefusedException ?? new StoreRefusedException(StoreScope.Entry, $"The store takes other writes and not this one ({error.GetType()}).", error);
        }

        for (var form = 1; form < forms.Length; form++)
        {
            // An alternative that fails for another cause says nothing of the next one, which keeps even less.
            if (await TryAsync(forms[form]) is not { } next)
            {
                environment.Log.WrittenReduced(subject.Subscription, subject.EventName, subject.EventId, error);
                return form;
            }

            if (!IsRefused(next, proofs))
            {
                return null;
            }
        }

        return null;
    }

    private async Task<bool> AnswersAsync(WriteSubject subject)
    {
        try
        {
            await subject.Probe(environment.Abort);
            return true;
        }
        catch (Exception) when (!environment.Abort.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task<Exception?> TryAsync(Func<CancellationToken, ValueTask> write)
    {
        try
        {
            await write(environment.Abort);
            return null;
        }
        catch (Exception exception) when (exception is not EffectException && !environment.Abort.IsCancellationRequested)
        {
            return exception;
        }
    }

    /// <summary>A write that is held: it holds back the bus, its subscription or nothing else, as its latest failure says.</summary>
    private sealed class Held(WriteSubject subject, StoreWriter owner, WriteHold subscription)
    {
        private WriteHold? hold;
        private string reason = "";

        public void Because(Exception error, StoreScope scope, int attempt, TimeSpan backoff)
        {
            var log = owner.Log;
            switch (scope)
            {
                case StoreScope.Store:
                    log.StoreDown(attempt, backoff, error);
                    Move(owner.down, error.Message);
                    break;
                case StoreScope.Subscription:
                    log.NoRoom(subject.Subscription, attempt, backoff, error);
                    Move(subject.IsDelivery ? subscription : null, error.Message);
                    break;
                default:
                    log.EntryHeld(subject.Subscription, subject.EventName, subject.EventId, attempt, backoff, error);
                    Move(subject.IsDelivery ? subscription : null, $"The store does not take {subject.EventName} {subject.EventId}.");
                    break;
            }
        }

        public void End() => hold?.Leave(reason);

        private void Move(WriteHold? next, string why)
        {
            // Into the next before out of the last: a pump must not slip through between the two.
            next?.Enter(why);
            hold?.Leave(reason);
            (hold, reason) = (next, why);
        }
    }
}

/// <summary>What a write is about.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="EventName">The event's name.</param>
/// <param name="EventId">The event's id.</param>
/// <param name="Probe">Writes something unrelated to the same store, and removes it again.</param>
internal readonly record struct WriteSubject(string Subscription, string EventName, string EventId, Func<CancellationToken, Task> Probe)
{
    /// <summary>The event is a delivery of the transport: while its write is held, the subscription takes no others. Otherwise it is an entry of the store, of which no more are claimed than can run. Default true.</summary>
    public bool IsDelivery { get; init; } = true;
}
