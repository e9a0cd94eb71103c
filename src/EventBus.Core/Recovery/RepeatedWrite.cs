using System.Data.Common;
using System.Net.Sockets;
using EventBus.Stores;

namespace EventBus;

/// <summary>Repeats one failed write until the store accepts it, or until it is certain that it never will.</summary>
/// <param name="subject">The event that the write concerns.</param>
/// <param name="forms">The write, followed by the alternatives for when the store cannot accept it.</param>
/// <param name="held">Blocks what the failure concerns.</param>
/// <param name="probes">Probes the store.</param>
/// <param name="services">The clock, the log and the abort token.</param>
internal sealed class RepeatedWrite(
    WriteSubject subject,
    Func<CancellationToken, ValueTask>[] forms,
    HeldWrite held,
    SharedProbes probes,
    BusServices services)
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private readonly WriteEvidence evidence = new(services.Time);
    private TimeSpan backoff = FirstBackoff;

    // The last form that may be tried.
    private int last;

    // The results of the latest probe and of the one before it.
    private bool? answers;
    private bool? before;

    /// <summary>Makes one attempt to write. Returns its exception; null on success.</summary>
    public static async Task<Exception?> TryAsync(Func<CancellationToken, ValueTask> write, CancellationToken abort)
    {
        try
        {
            await write(abort);
            return null;
        }
        catch (Exception exception) when (exception is not EffectException && !abort.IsCancellationRequested)
        {
            return exception;
        }
    }

    /// <summary>Repeats the write after its first failure.</summary>
    /// <returns>The index of the form that was written.</returns>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept the write, and there is no alternative.
    /// </exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the write.</exception>
    public async Task<int> RunAsync(Exception error)
    {
        var cause = error;
        try
        {
            // Until the store has answered, it may be down.
            held.Until(error);
            answers = await probes.AnswersAsync(subject.Probe, error);
            for (var attempt = 1; ; attempt++)
            {
                var refused = IsRefusal(error, StoreScope.Entry);
                if (!refused || last == forms.Length - 1)
                {
                    await PauseAsync(error, attempt);
                    if (answers == false)
                    {
                        continue;
                    }

                    refused |= evidence.Suffices;
                }

                if (refused && forms.Length == 1)
                {
                    throw error as StoreRefusedException ?? new StoreRefusedException(
                        StoreScope.Entry,
                        $"The store takes other writes and not this one ({error.GetType()}).",
                        error);
                }

                if (refused && last < forms.Length - 1)
                {
                    // The next form needs its own proof.
                    (last, cause) = (last + 1, error);
                    evidence.Next();
                }

                (var written, error) = await TryFormsAsync(error);
                if (written >= 0)
                {
                    ReportReduced(written, cause);
                    return written;
                }

                answers = await probes.AnswersAsync(subject.Probe, error);
                if (answers == false && !IsOutage(error))
                {
                    last = 0;
                    evidence.Reset();
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
        ExceptionText.AllOf(error).Any(each => each is TimeoutException
            or OperationCanceledException
            or SocketException
            or IOException
            or DbException { IsTransient: true });

    /// <summary>
    /// Waits for the backoff, probes the store, and counts the failure as evidence if the store answers.
    /// </summary>
    private async Task PauseAsync(Exception error, int attempt)
    {
        held.Because(
            error,
            error is StoreRefusedException known ? known.Scope : answers == true ? StoreScope.Entry : StoreScope.Store,
            attempt,
            backoff);
        await Task.Delay(backoff, services.Time, services.Abort);
        backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;

        // Not right after the write, which may have broken the connection: by now there is a new one.
        answers = await probes.AnswersAsync(subject.Probe, error);
        if (answers == false || IsRefusal(error, StoreScope.Store))
        {
            // The store itself had a problem: earlier failures prove nothing, also not about the forms that were given
            // up.
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
    /// Tries the forms one after another. Tries the last form, which has no body, only when the store certainly did not
    /// cause the failure of the previous form.
    /// </summary>
    /// <returns>The index of the form that was written; or -1 and the last error.</returns>
    private async Task<(int Written, Exception Error)> TryFormsAsync(Exception error)
    {
        for (var form = 0; form <= last; form++)
        {
            if (await TryAsync(forms[form], services.Abort) is not { } next)
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
                await Task.Delay(backoff, services.Time, services.Abort);
                if (await probes.AnswersAsync(subject.Probe, error) == false)
                {
                    break;
                }
            }
        }

        return (-1, error);
    }

    private void ReportReduced(int written, Exception cause)
    {
        if (written > 0)
        {
            services.Log.WrittenReduced(subject.Subscription, subject.EventName, subject.EventId, cause);
        }
    }
}
