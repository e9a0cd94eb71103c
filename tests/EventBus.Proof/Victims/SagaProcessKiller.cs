namespace EventBus.Proof;

/// <summary>
/// Kills the process at the point that is planned for a saga, once for each saga and a limited number of times for each
/// point.
/// </summary>
internal sealed class SagaProcessKiller(ProcessKiller killer, IReadOnlyList<SagaPlan> plans, int kills)
{
    /// <summary>Returns the number of kills at each point.</summary>
    public static IReadOnlyDictionary<SagaPoint, int> Reached(string folder) =>
        SagaPoint.All.ToDictionary(point => point, point => Directory.EnumerateFiles(folder, $"{point} *").Count());

    public void At(SagaMoment moment, bool isAfter, long number)
    {
        if (plans[(int)number].Point is { } point
            && point.Moment == moment
            && point.IsAfter == isAfter
            && killer.Mark($"{number}.met"))
        {
            for (var kill = 0; kill < kills; kill++)
            {
                killer.Kill($"{point} {kill}", number, ((int)moment * 2) + (isAfter ? 1 : 0));
            }
        }
    }
}
