namespace EventBus.Proof;

/// <summary>The calls of one saga in their order.</summary>
internal sealed class SagaTimeline(IReadOnlyList<ServiceCall> calls)
{
    /// <summary>The steps as they were executed; a step that was started again at once counts once.</summary>
    public IReadOnlyList<string> Executed => Runs(isUndo: false);

    /// <summary>The steps as they were undone.</summary>
    public IReadOnlyList<string> Undone => Runs(isUndo: true);

    /// <summary>The number of effects.</summary>
    public int Acted => calls.Count(call => call is { Mark: ServiceMark.Acted, IsUndo: false });

    public bool IsExecutedInOrder => Executed.SequenceEqual(Parcel.Steps.Take(Executed.Count))
        && !calls.SkipWhile(call => call is not { Mark: ServiceMark.Begun, IsUndo: true })
            .Any(call => call is { Mark: ServiceMark.Begun, IsUndo: false });

    /// <summary>No service did the same twice, under whatever keys.</summary>
    public bool ActsOnce =>
        calls.Where(call => call.Mark == ServiceMark.Acted).GroupBy(call => (call.Step, call.IsUndo)).All(acts => acts.Count() == 1);

    /// <summary>Nothing runs after the store took the end.</summary>
    public bool EndsForGood => !calls.SkipWhile(call => call.Mark != ServiceMark.AtEnd).Any(call => call.Mark == ServiceMark.Begun);

    /// <summary>Steps that took effect and were not undone after it.</summary>
    public IEnumerable<string> Leaks => calls.Index().Where(item => item.Item is { Mark: ServiceMark.Acted, IsUndo: false } act
        && !calls.Skip(item.Index).Any(call => call is { Mark: ServiceMark.Acted, IsUndo: true } && call.Step == act.Step))
            .Select(item => item.Item.Step);

    /// <summary>
    /// The instances that still executed a step after another had taken over the saga. An instance that is suspended
    /// for longer than its lease can still begin or end one call; the service refuses it.
    /// </summary>
    public int Overtaken =>
        calls.Where((call, i) => calls.Take(i).Any(earlier => earlier.Fence > call.Fence)).Select(call => call.Fence).Distinct().Count();

    /// <summary>The places where a process continues although another holds the saga, or still executes it.</summary>
    public IEnumerable<string> Overlaps
    {
        get
        {
            var (highest, process, open, late) = (0L, 0, false, new HashSet<long>());
            foreach (var call in calls.Where(call => call.Mark != ServiceMark.AtEnd))
            {
                if (call.Mark == ServiceMark.TakenEarly)
                {
                    yield return $"taken under {call.Fence} before the lease had ended";
                    continue;
                }

                if (call.Fence < highest)
                {
                    if (call.Mark is ServiceMark.Acted or ServiceMark.Repeated || (call.Mark == ServiceMark.Begun && !late.Add(call.Fence)))
                    {
                        yield return $"{call.Step} {call.Mark} under {call.Fence} after {highest}";
                    }

                    continue;
                }

                // The owner with a lower number is dead, whether its last run has ended or not.
                (open, process) = call.Fence > highest ? (false, call.Process) : (open, process);
                if (call.Process != process || (open && call.Mark == ServiceMark.Begun))
                {
                    yield return $"{call.Step} {call.Mark} twice under {call.Fence}";
                }

                (highest, open) = (call.Fence, call.Mark is ServiceMark.Begun or ServiceMark.Acted or ServiceMark.Repeated);
            }
        }
    }

    /// <summary>
    /// Everything that was or may have been done is undone in exact reverse, if that is how it ended, and nothing
    /// otherwise.
    /// </summary>
    public bool IsUndoneAs(SagaStatus end) => end != SagaStatus.Compensated ? Undone.Count == 0
        : Undone.SequenceEqual(Executed.Reverse()) || (IsLastRefused && Undone.SequenceEqual(Executed.Reverse().Skip(1)));

    /// <summary>
    /// The last step was refused at its only start. It may be undone all the same: an earlier start may have ended with
    /// its process before the service heard of it.
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
