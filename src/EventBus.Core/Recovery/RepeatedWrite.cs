using System.Data.Common;
using System.Net.Sockets;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Decides after each failure of a write when and in which form it is tried again, until the store accepts it or it is
/// certain that it never will.
/// </summary>
/// <param name="subject">The event that the write concerns.</param>
/// <param name="forms">
/// The number of forms of the write: the complete one, and reduced ones that are written if the store cannot accept it.
/// </param>
/// <param name="held">Blocks what the failure concerns.</param>
/// <param name="probes">Probes the store.</param>
/// <param name="services">The clock, the log and the abort token.</param>
internal sealed class RepeatedWrite(WriteSubject subject, int forms, HeldWrite held, SharedProbes probes, BusServices services)
{
    private static readonly Backoff RetryDelays = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    private readonly WriteEvidence evidence = new(services.Time);
    private int pauses;

    // The indexes of the forms to write, one for each attempt after the first.
    private IAsyncEnumerator<int>? attempts;

    // The latest failure, and the one that led to the last form that may be tried.
    private Exception error = null!;
    private Exception cause = null!;
    private int last;

    // The results of the latest probe and of the one before it.
    private bool? answers;
    private bool? before;

    // The next delay: of a pause, or before another form.
    private TimeSpan Delay => RetryDelays.After(pauses + 1);

    /// <summary>The index of the form to try.</summary>
    public int Form { get; private set; }

    /// <summary>Waits after a failed attempt. Completes when <see cref="Form"/> is to be tried.</summary>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept the write, and there is no alternative.
    /// </exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the write.</exception>
    public async Task NextAsync(Exception failure)
    {
        error = failure;
        attempts ??= AttemptsAsync();
        await attempts.MoveNextAsync();
        Form = attempts.Current;
    }

    /// <summary>Opens the gate again, because the write has ended.</summary>
    /// <param name="isWritten">True if the store has accepted <see cref="Form"/>.</param>
    public void End(bool isWritten)
    {
        held.End();
        if (isWritten && Form > 0)
        {
            services.Log.WrittenReduced(subject.Subscription, subject.EventName, subject.EventId, cause);
        }
    }

    /// <summary>
    /// Returns the index of the form for each attempt after the first. The caller requests the next one only after an
    /// attempt has failed.
    /// </summary>
    private async IAsyncEnumerator<int> AttemptsAsync()
    {
        // Until the first probe, the whole store may be unavailable.
        held.Until(error);
        answers = await probes.AnswersAsync(subject.Probe, error);
        var round = 0;
        while (true)
        {
            round++;
            var refused = IsRefusal(error, StoreScope.Entry);
            if (!refused || last == forms - 1)
            {
                await PauseAsync(round);
                if (answers == false)
                {
                    continue;
                }

                refused |= evidence.Suffices;
            }

            if (refused && forms == 1)
            {
                throw error as StoreRefusedException ?? new StoreRefusedException(
                    StoreScope.Entry,
                    $"The store takes other writes and not this one ({error.GetType()}).",
                    error);
            }

            if (refused && last < forms - 1)
            {
                // The next form needs its own proof.
                (last, cause) = (last + 1, error);
                evidence.Next();
            }

            for (var form = 0; form <= last; form++)
            {
                yield return form;
                if (!await MayTryNextFormAsync(form))
                {
                    break;
                }
            }

            answers = await probes.AnswersAsync(subject.Probe, error);
            if (answers == false && !IsOutage(error))
            {
                last = 0;
                evidence.Reset();
            }
        }
    }

    private static bool IsRefusal(Exception error, StoreScope scope) => error is StoreRefusedException refused && refused.Scope == scope;

    /// <summary>True for a timeout or a lost connection, which can affect any write.</summary>
    private static bool IsOutage(Exception error) =>
        ExceptionText.AllOf(error).Any(each => each is TimeoutException
            or OperationCanceledException
            or SocketException
            or IOException
            or DbException { IsTransient: true });

    /// <summary>
    /// Waits for the backoff, probes the store, and counts the failure as evidence if the store answers.
    /// </summary>
    private async Task PauseAsync(int round)
    {
        // Without a scope of the store: if the store answers the probe, the error concerns only this entry.
        var scopeOfProbe = answers == true ? StoreScope.Entry : StoreScope.Store;
        held.Because(error, error is StoreRefusedException known ? known.Scope : scopeOfProbe, round, Delay);
        await Task.Delay(Delay, services.Time, services.Abort);
        pauses++;

        // After the backoff, because the write may have broken the connection: by now there is a new one.
        answers = await probes.AnswersAsync(subject.Probe, error);
        if (answers == false || IsRefusal(error, StoreScope.Store))
        {
            // The store itself had a problem, so earlier failures prove nothing: also the forms that were given up may
            // be tried again.
            last = 0;
            evidence.Reset();
        }
        else if (before == true && answers == true && subject.ProbeWrites)
        {
            evidence.Add(IsOutage(error), ofWhole: last == 0);
        }

        before = answers;
    }

    /// <summary>
    /// Decides after the failure of a form whether the next one is tried at once. The last form, which has no body, is
    /// tried only when the store certainly did not cause the failure of the previous form.
    /// </summary>
    private async Task<bool> MayTryNextFormAsync(int form)
    {
        if (error is StoreRefusedException { Scope: not StoreScope.Entry } || (form > 0 && IsOutage(error)))
        {
            return false;
        }

        if (form == last || !IsOutage(error))
        {
            return true;
        }

        // Waits, because the failed form may have broken the connection that the next form needs.
        await Task.Delay(Delay, services.Time, services.Abort);
        return await probes.AnswersAsync(subject.Probe, error) != false;
    }
}
