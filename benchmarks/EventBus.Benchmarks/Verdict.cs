using BenchmarkDotNet.Reports;

namespace EventBus.Benchmarks;

/// <summary>
/// Converts the reports of the runner to an exit code: the runner continues after a failed benchmark, and its process
/// would end with 0.
/// </summary>
internal static class Verdict
{
    /// <param name="summaries">The reports.</param>
    /// <param name="mustRun">
    /// True if a run without benchmarks is a failure. Options like <c>--list</c> run nothing.
    /// </param>
    public static int Of(IEnumerable<Summary> summaries, bool mustRun)
    {
        var all = summaries.ToList();
        var problems = all.SelectMany(ProblemsOf).ToList();
        if (mustRun && all.Sum(summary => summary.Reports.Length) == 0)
        {
            problems.Add("No benchmark was run.");
        }

        foreach (var problem in problems)
        {
            Console.Error.WriteLine($"!! {problem}");
        }

        return problems.Count == 0 ? 0 : 1;
    }

    private static IEnumerable<string> ProblemsOf(Summary summary)
    {
        var invalid = summary.ValidationErrors.Where(error => error.IsCritical).Select(error => error.Message);
        var missing = summary.BenchmarksCases.Where(benchmark => summary[benchmark] is null)
            .Select(benchmark => $"{benchmark.DisplayInfo} was not run.");
        var failed = summary.Reports.Where(report => !report.Success || report.ResultStatistics is null)
            .Select(report => $"{report.BenchmarkCase.DisplayInfo} failed; see above.");
        return [.. invalid, .. missing, .. failed];
    }
}
