namespace EventBus.Proof;

/// <summary>The calls of one saga in order.</summary>
internal sealed class SagaTimeline(IReadOnlyList<ServiceCall> calls)
{
    /// <summary>The executed steps. An immediately repeated step counts once.</summary>
    public IReadOnlyList<string> Executed => Runs(isUndo: false);

    /// <summary>The compensated steps. An immediately repeated compensation counts once.</summary>
    public IReadOnlyList<string> Undone => Runs(isUndo: true);

    /// <summary>The number of effects.</summary>
    public int Acted => calls.Count(call => call is { Mark: ServiceMark.Acted, IsUndo: false });

    public bool IsExecutedInOrder => Executed.SequenceEqual(Parcel.Steps.Take(Executed.Count))
        && !calls.SkipWhile(call => call is not { Mark: ServiceMark.Begun, IsUndo: true })
            .Any(call => call is { Mark: ServiceMark.Begun, IsUndo: false });

    /// <summary>True if no service executed the same call twice, even with different keys.</summary>
    public bool ActsOnce =>
        calls.Where(call => call.Mark == ServiceMark.Acted).GroupBy(call => (call.Step, call.IsUndo)).All(acts => acts.Count() == 1);

    /// <summary>True if nothing ran after the store accepted the end.</summary>
    public bool RunsNothingAfterEnd => !calls.SkipWhile(call => call.Mark != ServiceMark.AtEnd).Any(call => call.Mark == ServiceMark.Begun);

    /// <summary>The steps that took effect and were not undone afterwards.</summary>
    public IEnumerable<string> LeakedEffects => calls.Index().Where(item => item.Item is { Mark: ServiceMark.Acted, IsUndo: false } act
        && !calls.Skip(item.Index).Any(call => call is { Mark: ServiceMark.Acted, IsUndo: true } && call.Step == act.Step))
            .Select(item => item.Item.Step);

    /// <summary>
    /// The number of instances that still executed a step after another had taken over the saga. An instance that was
    /// suspended for longer than its lease can still begin or end one call; the service refuses it.
    /// </summary>
    public int Overtaken =>
        calls.Where((call, i) => calls.Take(i).Any(earlier => earlier.Fence > call.Fence)).Select(call => call.Fence).Distinct().Count();

    /// <summary>
    /// The points where a process continues although another process owns or still executes the saga.
    /// </summary>
    public IEnumerable<string> Overlaps
    {
        get
        {
            var (highest, process, open, late) = (0L, 0, false, new HashSet<long>());
            foreach (var call in calls.Where(call => call.Mark != ServiceMark.AtEnd))
            {
                if (call.Mark == ServiceMark.TakenEarly)
                {
                    yield return $"taken with token {call.Fence} before the lease had expired";
                    continue;
                }

                if (call.Fence < highest)
                {
                    if (call.Mark is ServiceMark.Acted or ServiceMark.Repeated || (call.Mark == ServiceMark.Begun && !late.Add(call.Fence)))
                    {
                        yield return $"{call.Step} {call.Mark} with token {call.Fence} after {highest}";
                    }

                    continue;
                }

                // The owner with the lower number has crashed, whether its last attempt ended or not.
                (open, process) = call.Fence > highest ? (false, call.Process) : (open, process);
                if (call.Process != process || (open && call.Mark == ServiceMark.Begun))
                {
                    yield return $"{call.Step} {call.Mark} twice with token {call.Fence}";
                }

                (highest, open) = (call.Fence, call.Mark is ServiceMark.Begun or ServiceMark.Acted or ServiceMark.Repeated);
            }
        }
    }

    /// <summary>
    /// Returns true if a compensated saga has undone everything that was or may have been done, in exact reverse order,
    /// and any other saga has undone nothing.
    /// </summary>
    public bool IsCompensatedAs(SagaStatus end) => end != SagaStatus.Compensated ? Undone.Count == 0
        : Undone.SequenceEqual(Executed.Reverse()) || (IsLastRefused && Undone.SequenceEqual(Executed.Reverse().Skip(1)));

    /// <summary>
    /// True if the only recorded attempt of the last step was rejected. The step may still be compensated: an earlier
    /// attempt may have ended with its process before the service received the call.
    /// </summary>
    private bool IsLastRefused => calls.Where(call => !call.IsUndo && call.Step == Executed[^1])
        .Select(call => call.Mark)
        .SequenceEqual([ServiceMark.Begun, ServiceMark.Rejected]);

    public override string ToString() =>
        $"({string.Join(" ", Executed.Select(step => $"+{step}").Concat(Undone.Select(step => $"-{step}")))})";

    private List<string> Runs(bool isUndo)
    {
        var runs = new List<string>();
        foreach (var call in calls.Where(
            call => call.Mark == ServiceMark.Begun && call.IsUndo == isUndo && (runs.Count == 0 || runs[^1] != call.Step)))
        {
            runs.Add(call.Step);
        }

        return runs;
    }
}
