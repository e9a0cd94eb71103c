using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Decides after each failure of a write when and in which form it is tried again, until the store accepts it or it is
/// certain that it never will. Each round probes the store, waits for the backoff, probes again, and tries the forms.
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

    // The most reduced form that may be tried. Less reduced forms are tried before it, in case the store accepts them
    // by now.
    private int lastForm;

    // The latest failure, and the one that led to the last form.
    private Exception error = null!;
    private Exception refusal = null!;

    // The results of the latest probe, and of the one before the failed attempt; null if the error made it needless.
    private bool? storeAnswers;
    private bool? answeredBeforeAttempt;

    // The next delay: of a pause, or before another form.
    private TimeSpan NextDelay => RetryDelays.After(pauses + 1);

    /// <summary>The index of the form to try.</summary>
    public int Form { get; private set; }

    /// <summary>Waits after a failed attempt. Completes when <see cref="Form"/> is to be tried.</summary>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept the write, and the write has no reduced form.
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
            services.Log.WrittenReduced(subject.Subscription, subject.EventName, subject.EventId, refusal);
        }
    }

    /// <summary>
    /// Returns the index of the form for each attempt after the first. At each <c>yield return</c> the caller makes an
    /// attempt. It continues the iteration only if the attempt failed, with its failure in <see cref="error"/>.
    /// </summary>
    private async IAsyncEnumerator<int> AttemptsAsync()
    {
        held.BlockUntilProbed(error);
        storeAnswers = await probes.AnswersAsync(subject.Probe, error);
        var round = 0;
        while (true)
        {
            round++;

            // If the store says that it refuses this entry, the next form is tried without a pause.
            var isRefused = WriteErrors.IsRefusal(error, StoreScope.Entry);
            if (!isRefused || lastForm == forms - 1)
            {
                await PauseAsync(round);
                if (storeAnswers == false)
                {
                    continue;
                }

                isRefused = isRefused || evidence.IsSufficient;
            }

            if (isRefused && forms == 1)
            {
                throw error as StoreRefusedException ?? new StoreRefusedException(
                    StoreScope.Entry,
                    $"The store accepts other writes, but not this one ({error.GetType()}).",
                    error);
            }

            if (isRefused && lastForm < forms - 1)
            {
                lastForm++;
                refusal = error;
                evidence.ResetCounts();
            }

            for (var form = 0; form <= lastForm; form++)
            {
                yield return form;
                if (!await MayTryNextFormAsync(form))
                {
                    break;
                }
            }

            // After a timeout or a lost connection, a failed probe shows nothing: the write may have broken the
            // connection. The probe after the backoff decides.
            storeAnswers = await probes.AnswersAsync(subject.Probe, error);
            if (storeAnswers == false && !WriteErrors.IsOutage(error))
            {
                lastForm = 0;
                evidence.Restart();
            }
        }
    }

    /// <summary>
    /// Waits for the backoff, probes the store, and counts the failure as evidence if the store answers.
    /// </summary>
    private async Task PauseAsync(int round)
    {
        held.Block(error, WriteErrors.ScopeOf(error, storeAnswers), round, NextDelay);
        await Task.Delay(NextDelay, services.Time, services.Abort);
        pauses++;

        // After the backoff, because the write may have broken the connection: by now there is a new one.
        storeAnswers = await probes.AnswersAsync(subject.Probe, error);
        if (storeAnswers == false || WriteErrors.IsRefusal(error, StoreScope.Store))
        {
            // The store itself had a problem, so earlier failures prove nothing, and the complete form may be possible.
            lastForm = 0;
            evidence.Restart();
        }
        else if (answeredBeforeAttempt == true && storeAnswers == true && subject.ProbeWrites)
        {
            evidence.Add(WriteErrors.IsOutage(error), isComplete: lastForm == 0);
        }

        answeredBeforeAttempt = storeAnswers;
    }

    /// <summary>
    /// Decides after the failure of a form whether the next one is tried in the same round. The form without a body is
    /// tried only if the previous form did not fail with a timeout or a lost connection, which the store may have
    /// caused.
    /// </summary>
    private async Task<bool> MayTryNextFormAsync(int form)
    {
        if (error is StoreRefusedException { Scope: not StoreScope.Entry } || (form > 0 && WriteErrors.IsOutage(error)))
        {
            return false;
        }

        if (form == lastForm || !WriteErrors.IsOutage(error))
        {
            return true;
        }

        // Waits, because the failed form may have broken the connection that the next form needs.
        await Task.Delay(NextDelay, services.Time, services.Abort);
        return await probes.AnswersAsync(subject.Probe, error) != false;
    }
}
