using BenchmarkDotNet.Reports;

namespace EventBus.Benchmarks;

/// <summary>Turns what the runner reports into an exit code: it goes on after a benchmark that failed, and its process would end as if all were well.</summary>
internal static class Verdict
{
    /// <param name="summaries">What was run.</param>
    /// <param name="mustRun">Whether nothing at all is a failure too. Options like <c>--list</c> run nothing.</param>
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
        var missing = summary.BenchmarksCases.Where(benchmark => summary[benchmark] is null).Select(benchmark => $"{benchmark.DisplayInfo} was not run.");
        var failed = summary.Reports.Where(report => !report.Success || report.ResultStatistics is null).Select(report => $"{report.BenchmarkCase.DisplayInfo} failed; see above.");
        return [.. invalid, .. missing, .. failed];
    }
}
