using System.Collections.Concurrent;
using System.Data.Common;
using System.Net.Sockets;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Writes to a store, and repeats the write until the store accepts it. Distinguishes three failures: the store accepts
/// no write, it has no room for a subscription, or it cannot accept this entry. Thread-safe.
/// </summary>
/// <remarks>
/// A store may report the kind of failure (<see cref="StoreRefusedException"/>). After any other exception, a probe
/// writes something unrelated. When the write fails several times in a row between two probes that succeed, the write
/// is at fault. A timeout or a lost connection says nothing about the write until the store has answered all probes for
/// some time. The probe after a write runs after the backoff: if a write breaks its own connection, the store is not
/// down.
/// </remarks>
internal sealed class DurableWriter(BusServices services)
{
    private const string Activity = "writing to the store";

    // The number of times in a row that the store must accept a probe, fail the write, and accept a probe again.
    private const int Proofs = 4;

    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan OutageSpan = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private readonly PendingWrites down = new();

    // At most one probe at a time for each store, regardless of the number of waiting writes.
    private readonly ConcurrentDictionary<Func<CancellationToken, Task>, Task<bool>> probes = new();

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => down.IsHeld;

    /// <summary>
    /// Completes when no write is held because of the store or the subscription, or when the bus aborts, which ends the
    /// held writes.
    /// </summary>
    public async Task WhenWritableAsync(ConcurrencyLimiter slots)
    {
        while (down.IsHeld || slots.Hold.IsHeld)
        {
            await down.WhenFreeAsync();
            await slots.Hold.WhenFreeAsync();
        }
    }

    /// <summary>Writes, and repeats the write until the store has accepted it.</summary>
    /// <remarks>
    /// While the write is held, the caller's slot is lent, so that retries continue; they may be what makes room in a
    /// full store. The pumps of the bus, or only of the subscription, take no new deliveries meanwhile, so that no more
    /// writes are held than deliveries were in flight.
    /// </remarks>
    /// <param name="subject">The event that the write concerns.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="forms">
    /// The write, followed by the alternatives that are written when the store cannot accept it. Without an
    /// alternative, the method throws.
    /// </param>
    /// <returns>The index of the form that was written.</returns>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept this write, and there is no alternative.
    /// </exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the write.</exception>
    public async Task<int> WriteAsync(WriteSubject subject, ConcurrencyLimiter slots, params Func<CancellationToken, ValueTask>[] forms)
    {
        if (await TryAsync(forms[0]) is not { } error)
        {
            return 0;
        }

        var repeating = RepeatAsync(subject, slots, forms, error);
        await slots.WaitWithoutAsync(repeating, services.Abort);
        return await repeating;
    }

    /// <summary>Makes an optional write: it is skipped and logged when the store does not accept it.</summary>
    public async Task TryWriteAsync(WriteSubject subject, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write)
    {
        try
        {
            await WriteAsync(subject, slots, write);
        }
        catch (StoreRefusedException exception)
        {
            services.Log.StepLeftOut(subject.Subscription, subject.EventName, subject.EventId, exception);
        }
    }

    private ILogger Log => services.Log;

    private async Task<int> RepeatAsync(WriteSubject subject, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask>[] forms, Exception error)
    {
        var held = new Held(subject, this, slots.Hold);
        var proofs = new Proof(services.StoreTime);
        var (last, before, backoff, cause) = (0, (bool?)null, FirstBackoff, error);
        try
        {
            // Until the store has answered, it may be down.
            held.Until(error);
            var answers = await AnswersAsync(subject, error);
            for (var attempt = 1; ; attempt++)
            {
                var refused = IsRefusal(error, StoreScope.Entry);
                if (!refused || last == forms.Length - 1)
                {
                    held.Because(error, error is StoreRefusedException known ? known.Scope : answers == true ? StoreScope.Entry : StoreScope.Store, attempt, backoff);
                    await Task.Delay(backoff, services.StoreTime, services.Abort);
                    backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;

                    // Not right after the write, which may have broken the connection: by now there is a new one.
                    answers = await AnswersAsync(subject, error);
                    if (answers == false || IsRefusal(error, StoreScope.Store))
                    {
                        // The store itself had a problem: earlier failures prove nothing, also not about the forms that
                        // were given up.
                        last = 0;
                        proofs.Reset();
                    }
                    else if (before == true && answers == true && subject.ProbeWrites)
                    {
                        proofs.Add(IsOutage(error), ofWhole: last == 0);
                    }

                    before = answers;
                    if (answers == false)
                    {
                        continue;
                    }

                    refused |= proofs.Suffices;
                }

                if (refused && forms.Length == 1)
                {
                    throw error as StoreRefusedException ?? new StoreRefusedException(StoreScope.Entry, $"The store takes other writes and not this one ({error.GetType()}).", error);
                }

                if (refused && last < forms.Length - 1)
                {
                    // The next form needs its own proof.
                    (last, cause) = (last + 1, error);
                    proofs.Next();
                }

                (var written, error) = await TryAsync(subject, forms, last, backoff, error);
                if (written >= 0)
                {
                    if (written > 0)
                    {
                        services.Log.WrittenReduced(subject.Subscription, subject.EventName, subject.EventId, cause);
                    }

                    return written;
                }

                answers = await AnswersAsync(subject, error);
                if (answers == false && !IsOutage(error))
                {
                    last = 0;
                    proofs.Reset();
                }
            }
        }
        finally
        {
            held.End();
        }
    }

    private static bool IsRefusal(Exception error, StoreScope scope) => error is StoreRefusedException refused && refused.Scope == scope;

    /// <summary>True for a timeout or a lost connection, which can affect any write.</summary>
    private static bool IsOutage(Exception error) =>
        ExceptionText.AllOf(error).Any(each => each is TimeoutException or OperationCanceledException or SocketException or IOException or DbException { IsTransient: true });

    /// <summary>
    /// Tries the forms one after another. Tries the last form, which has no body, only when the store certainly did not
    /// cause the failure of the previous form.
    /// </summary>
    /// <returns>The index of the form that was written; or -1 and the last error.</returns>
    private async Task<(int Written, Exception Error)> TryAsync(WriteSubject subject, Func<CancellationToken, ValueTask>[] forms, int last, TimeSpan pause, Exception error)
    {
        for (var form = 0; form <= last; form++)
        {
            if (await TryAsync(forms[form]) is not { } next)
            {
                return (form, error);
            }

            error = next;
            if (error is StoreRefusedException { Scope: not StoreScope.Entry } || (form > 0 && IsOutage(error)))
            {
                break;
            }

            if (form < last && IsOutage(error))
            {
                // The form may have broken the connection that the next form needs.
                await Task.Delay(pause, services.StoreTime, services.Abort);
                if (await AnswersAsync(subject, error) == false)
                {
                    break;
                }
            }
        }

        return (-1, error);
    }

    /// <summary>Returns true if the store accepts a probe; null when the error already says what it concerns.</summary>
    private async Task<bool?> AnswersAsync(WriteSubject subject, Exception error)
    {
        if (error is StoreRefusedException)
        {
            return null;
        }

        var mine = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var probe = probes.GetOrAdd(subject.Probe, mine.Task);
        if (probe == mine.Task)
        {
            var answers = await ProbeAsync(subject.Probe);
            probes.TryRemove(subject.Probe, out _);
            mine.SetResult(answers);
        }

        var answered = await probe;
        services.Abort.ThrowIfCancellationRequested();
        return answered;
    }

    private async Task<bool> ProbeAsync(Func<CancellationToken, Task> probe)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(services.Abort);
        try
        {
            await probe(ended.Token).Observed().WaitAsync(ProbeTimeout, services.StoreTime, services.Abort);
            return true;
        }
        catch (Exception)
        {
            await ended.CancelAsync();
            return false;
        }
    }

    private async Task<Exception?> TryAsync(Func<CancellationToken, ValueTask> write)
    {
        try
        {
            await write(services.Abort);
            return null;
        }
        catch (Exception exception) when (exception is not EffectException && !services.Abort.IsCancellationRequested)
        {
            return exception;
        }
    }

    /// <summary>
    /// Collects the evidence that a write and not the store is at fault: the write failed, and the store accepted a
    /// probe before and after it.
    /// </summary>
    private sealed class Proof(TimeProvider time)
    {
        private int clear;
        private int outages;
        private long since = time.GetTimestamp();

        /// <summary>
        /// True if the evidence is sufficient. Timeouts and lost connections count only when the store has answered for
        /// some time.
        /// </summary>
        public bool Suffices => clear >= Proofs || (clear + outages >= Proofs && time.GetElapsedTime(since) >= OutageSpan);

        /// <param name="isOutage">True if the write failed with a timeout or a lost connection.</param>
        /// <param name="ofWhole">
        /// True if it was the complete write. A reduced form is not given up because of timeouts.
        /// </param>
        public void Add(bool isOutage, bool ofWhole)
        {
            clear += isOutage ? 0 : 1;
            outages += isOutage && ofWhole ? 1 : 0;
        }

        /// <summary>Resets the counts, because the next form needs its own proof.</summary>
        public void Next() => (clear, outages) = (0, 0);

        public void Reset() => (clear, outages, since) = (0, 0, time.GetTimestamp());
    }

    /// <summary>
    /// A write that is held. It blocks the bus, its subscription or nothing else, depending on its latest failure.
    /// </summary>
    private sealed class Held(WriteSubject subject, DurableWriter owner, PendingWrites subscription)
    {
        private PendingWrites? hold;
        private string reason = "";

        // The activity of the entry or its subscription that is logged as failing.
        private string? activity;

        /// <summary>Blocks everything that the failure may concern, until more is known.</summary>
        public void Until(Exception error) =>
            Move(error is StoreRefusedException { Scope: not StoreScope.Store } ? Narrow : owner.down, ExceptionText.MessageOf(error));

        public void Because(Exception error, StoreScope scope, int attempt, TimeSpan backoff)
        {
            var log = owner.Log;
            switch (scope)
            {
                case StoreScope.Store:
                    log.Failing(Activity, error, full => full.StoreDown(attempt, backoff, error));
                    Move(owner.down, ExceptionText.MessageOf(error));
                    break;
                case StoreScope.Subscription:
                    log.Failing(Own($"room for {subject.Subscription}"), error, full => full.NoRoom(subject.Subscription, attempt, backoff, error));
                    Move(Narrow, ExceptionText.MessageOf(error));
                    break;
                default:
                    log.Failing(Own($"keeping an event of {subject.Subscription}"), error, full => full.EntryHeld(subject.Subscription, subject.EventName, subject.EventId, attempt, backoff, error));
                    Move(Narrow, $"The store does not take {subject.EventName} {subject.EventId}.");
                    break;
            }
        }

        private PendingWrites? Narrow => subject.IsDelivery ? subscription : null;

        public void End()
        {
            hold?.Leave(reason);
            Own(null);
            if (!owner.down.IsHeld)
            {
                owner.Log.Working(Activity);
            }
        }

        private string Own(string? next)
        {
            if (activity is not null && activity != next)
            {
                owner.Log.Working(activity);
            }

            activity = next;
            return next ?? "";
        }

        private void Move(PendingWrites? next, string why)
        {
            // Enter the next one before leaving the last one: otherwise a pump could start in between.
            next?.Enter(why);
            hold?.Leave(reason);
            (hold, reason) = (next, why);
        }
    }
}
