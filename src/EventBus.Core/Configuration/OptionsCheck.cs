using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Adds the mistakes in options to the errors of a registration.</summary>
internal static class OptionsCheck
{
    /// <summary>Checks options against their declared limits.</summary>
    /// <param name="options">The options.</param>
    /// <param name="validator">The validator of their type.</param>
    /// <param name="owner">The owner, with which an error begins; null for the name of the type.</param>
    /// <param name="problems">The errors of the registration.</param>
    public static void Check<TOptions>(TOptions options, IValidateOptions<TOptions> validator, string? owner, List<string> problems)
        where TOptions : class => problems.AddRange(validator.Validate(owner, options).Failures ?? []);

    /// <summary>Checks a time that is not a property of options.</summary>
    public static void Range(TimeSpan value, TimeSpan min, TimeSpan max, string name, List<string> problems)
    {
        if (value < min || value > max)
        {
            problems.Add($"{name} is {value}; {min} to {max} are allowed.");
        }
    }
}
