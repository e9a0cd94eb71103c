using System.Collections.Concurrent;
using System.Data.Common;
using System.Net.Sockets;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Writes to a store until it takes the write, and tells three kinds of trouble apart: the store takes nothing, it has no room for a subscription, or it cannot take this one entry. Thread-safe.</summary>
/// <remarks>
/// A store may say which it is (<see cref="StoreRefusedException"/>). Of any other exception nothing is guessed: a probe writes something unrelated. When the write fails several times in a row between two
/// probes that succeed, the write is at fault. A time-out or a lost connection says nothing of the write until the store has answered all probes for a while. The probe after a write comes after the backoff:
/// a write that cuts its own connection is no store that is down.
/// </remarks>
internal sealed class DurableWriter(RunEnvironment environment)
{
    private const string Activity = "writing to the store";

    // That many times in a row the store takes something else, then not this, then something else again.
    private const int Proofs = 4;

    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan OutageSpan = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private readonly PendingWrites down = new();

    // One at a time for each store, however many writes wait for it.
    private readonly ConcurrentDictionary<Func<CancellationToken, Task>, Task<bool>> probes = new();

    /// <summary>At least one write is held, because the store takes nothing.</summary>
    public bool StoreIsDown => down.IsHeld;

    /// <summary>Completes when neither the store nor the subscription holds a write, or when the bus aborts, which ends the held writes.</summary>
    public async Task WhenWritableAsync(ConcurrencyLimiter slots)
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
    public async Task<int> WriteAsync(WriteSubject subject, ConcurrencyLimiter slots, params Func<CancellationToken, ValueTask>[] forms)
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
    public async Task TryWriteAsync(WriteSubject subject, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write)
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

    private async Task<int> RepeatAsync(WriteSubject subject, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask>[] forms, Exception error)
    {
        var held = new Held(subject, this, slots.Hold);
        var proofs = new Proof(environment.Time);
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
                    await Task.Delay(backoff, environment.Time, environment.Abort);
                    backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;

                    // Not right after the write, which may have cut the connection itself: by now there is another one.
                    answers = await AnswersAsync(subject, error);
                    if (answers == false || IsRefusal(error, StoreScope.Store))
                    {
                        // The store itself was in trouble: earlier failures prove nothing, not even of the forms that were given up.
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
                    // With proofs of its own.
                    (last, cause) = (last + 1, error);
                    proofs.Next();
                }

                (var written, error) = await TryAsync(subject, forms, last, backoff, error);
                if (written >= 0)
                {
                    if (written > 0)
                    {
                        environment.Log.WrittenReduced(subject.Subscription, subject.EventName, subject.EventId, cause);
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

    /// <summary>A time-out or a lost connection, which may hit any write.</summary>
    private static bool IsOutage(Exception error) =>
        ExceptionText.AllOf(error).Any(each => each is TimeoutException or OperationCanceledException or SocketException or IOException or DbException { IsTransient: true });

    /// <summary>Tries the forms one after another. The last, which keeps no body, only where the failure of the one before is certainly not that of the store.</summary>
    /// <returns>Which one was written; or -1 and why none was.</returns>
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
                // The form may have cut the connection, over which the next one is to be written.
                await Task.Delay(pause, environment.Time, environment.Abort);
                if (await AnswersAsync(subject, error) == false)
                {
                    break;
                }
            }
        }

        return (-1, error);
    }

    /// <summary>Whether the store takes something else. Null when the error says already what it concerns.</summary>
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
        environment.Abort.ThrowIfCancellationRequested();
        return answered;
    }

    private async Task<bool> ProbeAsync(Func<CancellationToken, Task> probe)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(environment.Abort);
        try
        {
            await probe(ended.Token).Observed().WaitAsync(ProbeTimeout, environment.Time, environment.Abort);
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
            await write(environment.Abort);
            return null;
        }
        catch (Exception exception) when (exception is not EffectException && !environment.Abort.IsCancellationRequested)
        {
            return exception;
        }
    }

    /// <summary>What speaks for a write being at fault and not the store: it failed, and the store took something else before and after it.</summary>
    private sealed class Proof(TimeProvider time)
    {
        private int clear;
        private int outages;
        private long since = time.GetTimestamp();

        /// <summary>Time-outs and lost connections count only when the store has answered for a while.</summary>
        public bool Suffices => clear >= Proofs || (clear + outages >= Proofs && time.GetElapsedTime(since) >= OutageSpan);

        /// <param name="isOutage">It failed by a time-out or a lost connection.</param>
        /// <param name="ofWhole">It is the whole write that failed. A form of which a part was left out is given up for no time-out.</param>
        public void Add(bool isOutage, bool ofWhole)
        {
            clear += isOutage ? 0 : 1;
            outages += isOutage && ofWhole ? 1 : 0;
        }

        /// <summary>What follows is proven by itself.</summary>
        public void Next() => (clear, outages) = (0, 0);

        public void Reset() => (clear, outages, since) = (0, 0, time.GetTimestamp());
    }

    /// <summary>A write that is held: it holds back the bus, its subscription or nothing else, as its latest failure says.</summary>
    private sealed class Held(WriteSubject subject, DurableWriter owner, PendingWrites subscription)
    {
        private PendingWrites? hold;
        private string reason = "";

        // What of the entry, or of its subscription, is logged as failing.
        private string? activity;

        /// <summary>Holds back what the failure may concern, before anything more is known of it.</summary>
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
            // Into the next before out of the last: a pump must not slip through between the two.
            next?.Enter(why);
            hold?.Leave(reason);
            (hold, reason) = (next, why);
        }
    }
}
