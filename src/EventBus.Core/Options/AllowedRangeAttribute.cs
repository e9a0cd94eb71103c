using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace EventBus;

/// <summary>
/// Declares the allowed range of an option: of a number or a duration, or of each entry of a list. Null is allowed.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedRangeAttribute : ValidationAttribute
{
    private readonly Func<object, bool> isAllowed;
    private readonly string range;

    /// <summary>Allows integers from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public AllowedRangeAttribute(long min, long max)
    {
        isAllowed = value =>
        {
            var number = Convert.ToInt64(value, CultureInfo.InvariantCulture);
            return number >= min && number <= max;
        };
        range = string.Create(CultureInfo.InvariantCulture, $"{min:N0} to {max:N0}");
    }

    /// <summary>Allows numbers from <paramref name="min"/> to <paramref name="max"/>, and not NaN.</summary>
    public AllowedRangeAttribute(double min, double max)
    {
        isAllowed = value => (double)value >= min && (double)value <= max;
        range = string.Create(CultureInfo.InvariantCulture, $"{min} to {max}");
    }

    /// <summary>Allows durations from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public AllowedRangeAttribute(string min, string max)
    {
        var shortest = TimeSpan.Parse(min, CultureInfo.InvariantCulture);
        var longest = TimeSpan.Parse(max, CultureInfo.InvariantCulture);
        isAllowed = value => (TimeSpan)value >= shortest && (TimeSpan)value <= longest;
        range = $"{min} to {max}";
    }

    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
    {
        if (value is IEnumerable list)
        {
            var invalid = list.Cast<object>().FirstOrDefault(entry => !isAllowed(entry));
            return invalid is null ? null : Problem("has the entry", invalid, validationContext);
        }

        return value is null || isAllowed(value) ? null : Problem("is", value, validationContext);
    }

    private ValidationResult Problem(string verb, object value, ValidationContext context) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{context.DisplayName} {verb} {value}; {range} are allowed."));
}
