using System.Text.Json;

namespace EventBus.Proof;

/// <summary>The plan of one saga. All processes read it from a file.</summary>
internal sealed record SagaPlan(long Number)
{
    private const double Failing = 0.10;
    private const double Flaky = 0.05;
    private const double FailingUndo = 0.05;

    // Some moments exist only for sagas that need attention.
    private const int MinForOperators = 18;

    // Several, because a kill for another saga may take a candidate past its point.
    private const int Candidates = 3;

    private static readonly StepFault[] StepFaults = [StepFault.Rejected, StepFault.Fails, StepFault.FailsLate, StepFault.Hangs];

    /// <summary>The step that fails permanently.</summary>
    public string? FailsAt { get; init; }

    public StepFault StepFault { get; init; }

    /// <summary>The step whose first attempt fails.</summary>
    public string? FlakyAt { get; init; }

    /// <summary>The step whose compensation fails.</summary>
    public string? UndoFailsAt { get; init; }

    /// <summary>True if the saga fails until its cause is fixed.</summary>
    public bool NeedsOperator { get; init; }

    /// <summary>True if the saga gets no reply in time.</summary>
    public bool IsExpress { get; init; }

    /// <summary>The point at which its process is killed.</summary>
    public SagaPoint? Point { get; init; }

    /// <summary>True if a handler starts the saga, and not the harness.</summary>
    public bool IsOrdered => !IsExpress && Number % 2 == 0;

    /// <summary>True if the saga is started twice.</summary>
    public bool IsTwice => Number % 10 is 3 or 4;

    public SagaStatus Rest => NeedsOperator ? SagaStatus.NeedsAttention : FailsAt is null ? SagaStatus.Completed : SagaStatus.Compensated;

    private int FailsIndex => FailsAt is null ? Parcel.Steps.Count : Parcel.Steps.IndexOf(FailsAt);

    /// <summary>The steps that must be undone.</summary>
    private IReadOnlyList<string> ToUndo =>
        FailsAt is null ? [] : [.. Parcel.Steps.Take(FailsIndex + (StepFault == StepFault.Rejected ? 0 : 1))];

    /// <summary>Plans sagas, and distributes the points among them.</summary>
    /// <param name="random">The seeded source of random numbers.</param>
    /// <param name="count">The number of sagas; their numbers begin at 0.</param>
    /// <param name="express">The number of further sagas without a reply in time.</param>
    /// <param name="kills">The number of kills at each point.</param>
    public static List<SagaPlan> Make(Random random, int count, int express, int kills)
    {
        var plans = Enumerable.Range(0, count).Select(number => MakeOne(random, number)).ToList();
        var undoing = plans.Where(plan => plan.ToUndo.Count > 0).Select(plan => (int)plan.Number).ToArray();
        random.Shuffle(undoing);
        var (undone, forOperators) = (plans.Sum(plan => plan.ToUndo.Count), 0);
        foreach (var number in undoing.Take(Math.Max(MinForOperators, (int)(undone * FailingUndo)) * 2))
        {
            var steps = plans[number].ToUndo;
            plans[number] = plans[number] with { UndoFailsAt = steps[random.Next(steps.Count)], NeedsOperator = forOperators++ % 2 == 0 };
        }

        foreach (var point in SagaPoint.All.SelectMany(point => Enumerable.Repeat(point, Candidates * kills)))
        {
            var free = plans.FindAll(plan => plan.Point is null && plan.Reaches(point.Moment));
            if (free.Count > 0)
            {
                var chosen = free[random.Next(free.Count)];
                plans[(int)chosen.Number] = chosen with { Point = point };
            }
        }

        plans.AddRange(Enumerable.Range(count, express).Select(number => new SagaPlan(number) { IsExpress = true, FailsAt = Parcel.Ask }));
        return plans;
    }

    public static void Write(string folder, IReadOnlyList<SagaPlan> plans) =>
        File.WriteAllText(PathIn(folder), JsonSerializer.Serialize(plans));

    public static IReadOnlyList<SagaPlan> Read(string folder) =>
        JsonSerializer.Deserialize<List<SagaPlan>>(File.ReadAllText(PathIn(folder)))!;

    /// <summary>Returns the fault of one attempt of a step.</summary>
    public StepFault At(string step, int attempt) =>
        IsExpress ? StepFault.None : step == FailsAt ? StepFault : step == FlakyAt && attempt == 1 ? StepFault.Fails : StepFault.None;

    private static SagaPlan MakeOne(Random random, int number)
    {
        var fails = Parcel.Steps.FirstOrDefault(_ => random.NextDouble() < Failing);
        var flaky = Parcel.Steps.FirstOrDefault(step => step != fails && random.NextDouble() < Flaky);
        return new SagaPlan(
            number)
        { FailsAt = fails, StepFault = fails is null ? StepFault.None : StepFaults[random.Next(StepFaults.Length)], FlakyAt = flaky };
    }

    private static string PathIn(string folder) => Path.Combine(folder, "plans.json");

    /// <summary>Returns true if the saga reaches a moment.</summary>
    private bool Reaches(SagaMoment moment) =>
        moment is SagaMoment.NeedsOperator or SagaMoment.AlertClaimed or SagaMoment.AlertSent
            ? NeedsOperator
            : !NeedsOperator && moment switch
            {
                // The harness, which is never killed, may create a saga that is started twice.
                SagaMoment.Created => IsOrdered && !IsTwice,
                SagaMoment.Claimed => !IsOrdered,
                SagaMoment.Executed => FailsIndex > 0,
                SagaMoment.Waiting or SagaMoment.LeftWaiting or SagaMoment.Replied or SagaMoment.Reply =>
                    FailsIndex > Parcel.Steps.IndexOf(Parcel.Ask),
                SagaMoment.RetryPlanned => FlakyAt is not null && FailsIndex > Parcel.Steps.IndexOf(FlakyAt),
                SagaMoment.Turned or SagaMoment.Compensate => ToUndo.Count > 0,
                SagaMoment.Compensated => ToUndo.Count > 1,
                SagaMoment.Completed => Rest == SagaStatus.Completed,
                SagaMoment.Undone => Rest == SagaStatus.Compensated,
                _ => true,
            };
}
